#include "collector/middleware/default_headers.h"

#include <memory>

namespace collector {
namespace {

class Defaults : public AnswerHook {
 public:
  void OnAnswer(const AnsweredRequest&, Response* response) override {
    if (ClassOf(response->code) != 2 || response->payload.empty()) return;
    if (!response->content_format) response->content_format = ContentFormat::kJson;
    if (response->code == Code::kContent && !response->max_age_seconds) {
      response->max_age_seconds = 0;
    }
  }
};

}  // namespace

Middleware DefaultHeaders() {
  return [hook = std::make_shared<Defaults>()](Handler next) -> Handler {
    return [hook, next = std::move(next)](const Request& request, Reply reply) {
      reply.AddHook(hook.get());
      next(request, std::move(reply));
    };
  };
}

}  // namespace collector
