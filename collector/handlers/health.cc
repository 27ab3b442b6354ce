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

nlohmann::ordered_json Health(const ServiceState& state, std::int64_t wall_ns) {
  return {{"status", StatusOf(state)},
          {"store", state.store_name},
          {"version", COLLECTOR_VERSION},
          {"time", FormatTimestamp(wall_ns / kNsPerMs * kNsPerMs)}};
}

std::string HealthCbor(const ServiceState& state, std::int64_t wall_ns) {
  std::string bytes;
  nlohmann::ordered_json::to_cbor(Health(state, wall_ns), bytes);
  return bytes;
}

}  // namespace

std::string HealthJson(const ServiceState& state, std::int64_t wall_ns) {
  return Health(state, wall_ns).dump();
}

Handler HealthHandler(const ServiceState* state) {
  return [state](const Request& request, Reply reply) {
    const bool cbor = request.accept && Accepts(request, ContentFormat::kCbor);
    if (!cbor && !Accepts(request, ContentFormat::kJson)) {
      return std::move(reply).Send(
          Response::Diagnostic(Code::kNotAcceptable, "offered: 50 (JSON) and 60 (CBOR)"));
    }
    const std::int64_t now_ns = request.arrived.wall_ns;
    Response response{.code = Code::kContent,
                      .content_format = cbor ? ContentFormat::kCbor : ContentFormat::kJson,
                      .payload = cbor ? HealthCbor(*state, now_ns) : HealthJson(*state, now_ns)};
    if (!state->Serving()) {
      response.code = Code::kServiceUnavailable;
      response.max_age_seconds = kRetrySeconds;
    }
    std::move(reply).Send(std::move(response));
  };
}

}  // namespace collector
