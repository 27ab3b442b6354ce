#include "collector/middleware/router.h"

namespace collector {

Handler Router(std::vector<Route> routes) {
  return [routes = std::move(routes)](const Request& request, Reply reply) {
    bool path_known = false;
    for (const Route& route : routes) {
      if (route.path != request.path) continue;
      path_known = true;
      if (route.method == request.method) return route.handler(request, std::move(reply));
    }
    std::move(reply).Send(
        path_known ? Response::Diagnostic(Code::kMethodNotAllowed, "method not allowed here")
                   : Response::Diagnostic(Code::kNotFound, "no such path"));
  };
}

}  // namespace collector
