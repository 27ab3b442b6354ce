#include "collector/middleware/content_format.h"

namespace collector {

std::optional<EventFormat> FormatOf(const Request& request) {
  if (!request.content_format) return EventFormat::kJson;
  switch (static_cast<ContentFormat>(*request.content_format)) {
    case ContentFormat::kJson:
      return EventFormat::kJson;
    case ContentFormat::kCbor:
      return EventFormat::kCbor;
    case ContentFormat::kSenmlJson:
      return EventFormat::kSenmlJson;
    case ContentFormat::kSenmlCbor:
      return EventFormat::kSenmlCbor;
    default:
      return std::nullopt;
  }
}

Middleware CheckContentFormat(const ContentFormatOptions& options) {
  return [options](Handler next) -> Handler {
    return [options, next = std::move(next)](const Request& request, Reply reply) {
      const bool missing = options.required && !request.content_format;
      if (request.method == Code::kPost && (missing || !FormatOf(request))) {
        return std::move(reply).Send(Response::Diagnostic(
            Code::kUnsupportedContentFormat, missing
                                                 ? "content format is missing: 50, 60, 110 or 112"
                                                 : "content format is not 50, 60, 110 or 112"));
      }
      next(request, std::move(reply));
    };
  };
}

}  // namespace collector
