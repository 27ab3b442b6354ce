#include "collector/middleware/content_format.h"

namespace collector {

Middleware CheckContentFormat() {
  return [](Handler next) -> Handler {
    return [next = std::move(next)](const Request& request, Reply reply) {
      constexpr auto kJson = static_cast<std::uint16_t>(ContentFormat::kJson);
      if (request.method == Code::kPost && request.content_format.value_or(kJson) != kJson) {
        return std::move(reply).Send(Response::Diagnostic(
            Code::kUnsupportedContentFormat, "content format is not 50 (application/json)"));
      }
      next(request, std::move(reply));
    };
  };
}

}  // namespace collector
