// The chain every request goes through. A middleware wraps the next handler once, at start-up; it
// stops a request by answering it and not calling the next.
#pragma once

#include <functional>
#include <vector>

#include "collector/middleware/request.h"

namespace collector {

// Must answer `reply` or keep it until it can be answered; may not wait.
using Handler = std::function<void(const Request& request, Reply reply)>;

using Middleware = std::function<Handler(Handler next)>;

// One that does nothing and costs nothing, for what is switched off.
Middleware PassOn();

// Wraps `innermost` so that the first of `middlewares` sees a request first.
Handler Chain(const std::vector<Middleware>& middlewares, Handler innermost);

}  // namespace collector
