// Content-format check: a body that no handler here can read is refused before it is looked at.
#pragma once

#include "collector/middleware/middleware.h"

namespace collector {

// Answers 4.15 to a POST whose Content-Format is given and is not JSON (RFC 7252 section 5.9.2.10).
// None given means JSON, as constrained devices leave it out.
Middleware CheckContentFormat();

}  // namespace collector
