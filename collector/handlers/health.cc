#include "collector/handlers/health.h"

#include <nlohmann/json.hpp>

#include "event/timestamp.h"

namespace collector {
namespace {

constexpr std::uint32_t kRetrySeconds = 5;

std::string StatusOf(const ServiceState& state) {
  switch (state.phase.load(std::memory_order_relaxed)) {
    case ServiceState::Phase::kStarting:
      return "starting";
    case ServiceState::Phase::kDraining:
      return "draining";
    case ServiceState::Phase::kServing:
      break;
  }
  return state.store_failing.load(std::memory_order_relaxed) ? "store failing" : "ok";
}

}  // namespace

std::string HealthJson(const ServiceState& state, std::int64_t wall_ns) {
  return nlohmann::ordered_json{{"status", StatusOf(state)},
                                {"store", state.store_name},
                                {"version", COLLECTOR_VERSION},
                                {"time", FormatTimestamp(wall_ns / kNsPerMs * kNsPerMs)}}
      .dump();
}

Handler HealthHandler(const ServiceState* state) {
  return [state](const Request& request, Reply reply) {
    if (!Accepts(request, ContentFormat::kJson)) {
      return std::move(reply).Send(
          Response::Diagnostic(Code::kNotAcceptable, "offered: 50 (application/json)"));
    }
    Response response{.code = Code::kContent,
                      .content_format = ContentFormat::kJson,
                      .payload = HealthJson(*state, request.arrived.wall_ns)};
    if (!state->Serving()) {
      response.code = Code::kServiceUnavailable;
      response.max_age_seconds = kRetrySeconds;
    }
    std::move(reply).Send(std::move(response));
  };
}

}  // namespace collector
