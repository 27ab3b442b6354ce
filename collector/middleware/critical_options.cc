#include "collector/middleware/critical_options.h"

namespace collector {

Middleware CheckCriticalOptions() {
  return [](Handler next) -> Handler {
    return [next = std::move(next)](const Request& request, Reply reply) {
      if (request.proxy) {
        return std::move(reply).Send(
            Response::Diagnostic(Code::kProxyingNotSupported, "this is not a proxy"));
      }
      if (request.critical_unknown != 0) {
        return std::move(reply).Send(Response::Diagnostic(
            Code::kBadOption,
            "critical option " + std::to_string(request.critical_unknown) + " is not supported"));
      }
      if (request.block_malformed) {
        return std::move(reply).Send(
            Response::Diagnostic(Code::kBadRequest, "block size 7 is reserved"));
      }
      if (request.conditional) {
        return std::move(reply).Send(Response::Diagnostic(
            Code::kPreconditionFailed, "no condition holds: nothing here has an entity tag"));
      }
      next(request, std::move(reply));
    };
  };
}

}  // namespace collector
