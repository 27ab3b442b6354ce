// Critical-options check: what a client insists on and this server does not do is refused.
#pragma once

#include "collector/middleware/middleware.h"

namespace collector {

// Answers 4.02 where a critical option is not understood (RFC 7252 section 5.4.1), 5.05 where the
// request wants a proxy (section 5.10.2), 4.12 to If-Match and If-None-Match (section 5.10.8),
// 4.00 to a block of the reserved size (RFC 7959 section 2.2).
Middleware CheckCriticalOptions();

}  // namespace collector
