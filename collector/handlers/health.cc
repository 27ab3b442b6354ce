#include "collector/handlers/health.h"

#include <nlohmann/json.hpp>

#include "event/timestamp.h"

namespace collector {
namespace {

constexpr std::uint32_t kRetrySeconds = 5;

bool Acceptable(const Request& request, ContentFormat offered) {
  const auto format = static_cast<std::uint16_t>(offered);
  return request.accept.value_or(format) == format;
}

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
    if (!Acceptable(request, ContentFormat::kJson)) {
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

Handler WellKnownCoreHandler() {
  return [](const Request& request, Reply reply) {
    if (!Acceptable(request, ContentFormat::kLink)) {
      return std::move(reply).Send(
          Response::Diagnostic(Code::kNotAcceptable, "offered: 40 (application/link-format)"));
    }
    std::move(reply).Send({.code = Code::kContent,
                           .content_format = ContentFormat::kLink,
                           .payload = "</events>;rt=\"events\";if=\"core.s\";ct=50;title=\"Post "
                                      "one event; 2.01 means stored\","
                                      "</health>;rt=\"health\";if=\"core.s\";ct=50;title=\"Is "
                                      "this collector taking events\""});
  };
}

}  // namespace collector
