// POST /events: decode, validate, give the event its id, hand it to the store, and answer by what
// became of it and by nothing else.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "collector/base/metrics.h"
#include "collector/middleware/middleware.h"
#include "collector/store/store.h"
#include "event/event_json.h"

namespace collector {

struct EventsOptions {
  std::size_t pending_events_max = 16'384;
  std::size_t pending_bytes_max = 16 << 20;  // of their payloads as received
  std::size_t payload_bytes_max = 4'096;
};

// One thread. Store and metrics outlive it; it outlives every pending completion.
class EventsHandler : public CompletionSink {
 public:
  EventsHandler(const EventsOptions& options, Store* store, Metrics* metrics);
  ~EventsHandler() override;

  void Post(const Request& request, Reply reply);

  // From now on events are answered 5.03; what is pending is still completed.
  void StopTaking() { taking_ = false; }

  [[nodiscard]] std::size_t pending() const { return pending_.size() - free_.size(); }

  void OnComplete(std::uint32_t ticket, Outcome outcome, std::string_view reason) override;

 private:
  struct Pending {
    Reply reply;
    std::size_t bytes = 0;
  };

  void Submit(const Request& request, Reply reply);
  [[nodiscard]] Response NotNow(std::string why);

  const EventsOptions options_;
  Store* store_;
  Metrics* metrics_;
  bool taking_ = true;
  std::vector<Pending> pending_;  // grows to its limit, then stays
  std::vector<std::uint32_t> free_;
  std::size_t pending_bytes_ = 0;
  std::minstd_rand jitter_;

  // Reused from request to request, so that an event costs no allocation.
  EventJsonDecoder decoder_;
  EventIdHasher hasher_;
  Event event_;
  std::string payload_json_;
  std::string diagnostic_;
};

}  // namespace collector
