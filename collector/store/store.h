// The store seam: where accepted events become durable. Everything about how is behind it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "collector/base/check.h"
#include "collector/base/clock.h"
#include "event/event.h"
#include "event/event_id.h"

namespace collector {

// How one event ended, from good to bad: a request with several is answered by the last of these
// that one of them had. Nothing but kStored and kDuplicate may become a 2.xx.
enum class Outcome : std::uint8_t {
  kStored,     // durable now
  kDuplicate,  // durable already, under the same id
  kRefused,    // this event will never be taken
  kNotNow,     // it may be taken later; it is not known to be stored
};

// Told each event's outcome, once; on the loop thread.
class CompletionSink {
 public:
  virtual ~CompletionSink() = default;
  // `reason`: for kRefused the store's own type of error, else empty. Good within the call.
  virtual void OnComplete(std::uint32_t ticket, Outcome outcome, std::string_view reason) = 0;
};

// The one completion of one event. Move-only; dropping it unused is a bug and aborts.
class Completion {
 public:
  Completion(CompletionSink* sink, std::uint32_t ticket) : sink_(sink), ticket_(ticket) {}
  Completion(Completion&& other) noexcept
      : sink_(std::exchange(other.sink_, nullptr)), ticket_(other.ticket_) {}
  Completion& operator=(Completion&&) = delete;
  ~Completion() { CHECK(sink_ == nullptr); }

  void Finish(Outcome outcome, std::string_view reason = {}) && {
    CHECK(sink_ != nullptr);
    std::exchange(sink_, nullptr)->OnComplete(ticket_, outcome, reason);
  }

 private:
  CompletionSink* sink_;
  std::uint32_t ticket_;
};

// An event as a store takes it. The views live as long as the call.
struct StoreEvent {
  const EventId& id;
  const Event& event;
  std::string_view payload_json;  // canonical
  std::int64_t timestamp_ns;      // the event's own, or its arrival
  std::int64_t received_ns;
};

enum class StoreHealth : std::uint8_t { kOk, kFailing };

// One thread: the loop's. Bounded by its caller, who counts what is pending.
class Store {
 public:
  virtual ~Store() = default;

  // Takes one event into the current batch (copies it). `done` is finished exactly once, later or
  // within this call, whatever happens to the store.
  virtual void Submit(const StoreEvent& event, Completion done) = 0;

  // The turn is over: a batch goes out if the store is idle. No event waits for a timer.
  virtual void Flush() = 0;

  // The time, once a turn and before everything else in it, and when the store wants the next turn
  // at the latest: for retries and deadlines.
  virtual void Tick(Instant now) = 0;
  [[nodiscard]] virtual std::int64_t due_ns() const = 0;  // monotonic; kNever

  [[nodiscard]] virtual StoreHealth health() const = 0;
  [[nodiscard]] virtual std::string name() const = 0;  // "sqlite"
};

}  // namespace collector
