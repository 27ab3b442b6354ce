// POST /events: decode, validate, give each event its id, hand all of them to the store, and answer
// by what became of them and by nothing else.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "collector/base/clock.h"
#include "collector/base/metrics.h"
#include "collector/handlers/access.h"
#include "collector/handlers/retry_advice.h"
#include "collector/middleware/middleware.h"
#include "collector/store/store.h"
#include "event/event_decoder.h"

namespace collector {

struct EventsOptions {
  std::size_t pending_events_max = 16'384;
  std::size_t pending_bytes_max = 16 << 20;  // of the bodies as received
  std::size_t payload_bytes_max = 4'096;
  std::uint64_t seed = 1;    // of the spread of what devices are told to wait
  Access* access = nullptr;  // none: everybody may write everything; outlives the handler
};

// One thread. Store and metrics outlive it; it outlives every pending completion.
class EventsHandler : public CompletionSink {
 public:
  EventsHandler(const EventsOptions& options, Store* store, Metrics* metrics);
  ~EventsHandler() override;

  // All events of a request are taken, or none.
  void Post(const Request& request, Reply reply);

  // The time, once a turn.
  void Tick(Instant now) { advice_.Tick(now.monotonic_ns, pending_events_); }

  // From now on events are answered 5.03; what is pending is still completed.
  void StopTaking() {
    taking_ = false;
    advice_.Failing();
  }

  // Events that were taken and are not completed yet.
  [[nodiscard]] std::size_t pending() const { return pending_events_; }

  void OnComplete(std::uint32_t ticket, Outcome outcome, std::string_view reason) override;

 private:
  // A request whose events are with the store.
  struct Pending {
    Reply reply;
    std::size_t bytes = 0;
    std::size_t events_left = 0;
    std::int64_t arrived_ns = 0;
    std::uint32_t older = 0;  // a ring through all that are pending, by arrival
    std::uint32_t newer = 0;
    Outcome worst = Outcome::kStored;
    std::string reason;  // of a refusal
  };

  [[nodiscard]] bool HasRoomFor(std::size_t events, std::size_t bytes) const;
  std::uint32_t Take(const Request& request, Reply reply);
  void Submit(const Request& request, const Event& event, std::uint32_t index,
              std::uint32_t ticket);
  void Count(Outcome outcome);
  void Link(std::uint32_t ticket);
  void Unlink(const Pending& pending);
  void Answer(Pending* pending);
  [[nodiscard]] Response NotNow(std::string why);

  const EventsOptions options_;
  Store* store_;
  Metrics* metrics_;
  bool taking_ = true;
  std::vector<Pending> pending_;  // grows to its limit, then stays; the first is the ring's end
  std::vector<std::uint32_t> free_;
  std::size_t pending_events_ = 0;
  std::size_t pending_bytes_ = 0;
  RetryAdvice advice_;

  // Reused from request to request, so that an event costs no allocation.
  EventDecoder decoder_;
  EventIdHasher hasher_;
  std::string payload_json_;
  std::string diagnostic_;
};

}  // namespace collector
