// The collector without sockets, clock and disk: message layer, chain and events handler over a
// fake store, as the real composition wires them. What it sends is kept in `sent`.
#pragma once

#include <spdlog/logger.h>
#include <spdlog/sinks/null_sink.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "collector/base/service_state.h"
#include "collector/coap/message_layer.h"
#include "collector/handlers/events.h"
#include "collector/handlers/health.h"
#include "collector/handlers/well_known_core.h"
#include "collector/middleware/access_log.h"
#include "collector/middleware/body_assembly.h"
#include "collector/middleware/content_format.h"
#include "collector/middleware/critical_options.h"
#include "collector/middleware/default_headers.h"
#include "collector/middleware/router.h"
#include "tests/fakes/fake_store.h"
#include "tests/fakes/wire.h"

namespace collector {

struct CollectorCore : public DatagramSink {
  struct Sent {
    AddressPair to;
    std::string bytes;
  };

  explicit CollectorCore(const MessageLayerOptions& layer_options = {},
                         const EventsOptions& events_options = {.payload_bytes_max = 65'536},
                         const BodyAssemblyOptions& bodies_options = {})
      : events(events_options, &store, &metrics),
        bodies(bodies_options, &metrics),
        access_log(std::make_shared<spdlog::logger>(
                       "test", std::make_shared<spdlog::sinks::null_sink_mt>()),
                   &metrics, 100),
        layer(layer_options,
              Chain({access_log.Wrap(), CheckCriticalOptions(), CheckContentFormat({}),
                     DefaultHeaders()},
                    Router({{Code::kPost, "/events",
                             bodies.Wrap([this](const Request& request, Reply reply) {
                               events.Post(request, std::move(reply));
                             })},
                            {Code::kGet, "/health", HealthHandler(&state)},
                            {Code::kGet, "/.well-known/core", WellKnownCoreHandler()}})),
              this, &metrics) {
    state.phase = ServiceState::Phase::kServing;
    SetTimeMs(1'000);
  }
  // As a process that is stopped in the middle: what is pending is never stored.
  ~CollectorCore() override {
    while (store.pending() > 0) store.Fail(Outcome::kNotNow);
  }

  void SetTimeMs(std::int64_t ms) {
    now_ms = ms;
    const Instant now{ms * kNsPerMs, (kWallStartMs + ms) * kNsPerMs};
    events.Tick(now);
    layer.SetTime(now);
  }
  // The end of a turn of the loop at this time.
  void TurnMs(std::int64_t ms) {
    SetTimeMs(ms);
    layer.OnTime();
  }
  void Receive(const AddressPair& from, std::string_view bytes, bool cut = false) {
    layer.OnDatagram(from, {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()},
                     cut);
  }
  void Send(const AddressPair& addresses, Bytes bytes) override {
    sent.push_back({addresses, std::string(bytes.begin(), bytes.end())});
  }
  std::vector<Sent> TakeSent() { return std::exchange(sent, {}); }

  static constexpr std::int64_t kWallStartMs = 1'795'238'000'000;
  std::int64_t now_ms = 0;
  Metrics metrics;
  ServiceState state;
  FakeStore store;
  EventsHandler events;
  BodyAssembly bodies;
  AccessLog access_log;
  std::vector<Sent> sent;
  MessageLayer layer;
};

}  // namespace collector
