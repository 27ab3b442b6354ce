// Router: path and method to handler, the innermost link of the chain.
#pragma once

#include <string>
#include <vector>

#include "collector/middleware/middleware.h"

namespace collector {

struct Route {
  Code method;
  std::string path;
  Handler handler;
};

// Calls the route's handler; 4.04 where no route has the path, 4.05 where none of the path's
// routes has the method (RFC 7252 section 5.8).
Handler Router(std::vector<Route> routes);

}  // namespace collector
