// Default response headers (CoAP calls them options).
#pragma once

#include "collector/middleware/middleware.h"

namespace collector {

// Gives every 2.xx body that names no Content-Format the one of JSON, and every 2.05 without a
// Max-Age one of 0: what this server tells changes with every event, and no proxy on the way may
// keep it for CoAP's default of 60 seconds (RFC 7252 section 5.10.5).
Middleware DefaultHeaders();

}  // namespace collector
