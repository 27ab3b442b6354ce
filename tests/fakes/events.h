// Events as a store is given them, and what becomes of them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "collector/store/store.h"
#include "event/event_json.h"

namespace collector {

struct TestEvent {
  explicit TestEvent(std::uint64_t number, Json value = 1) {
    for (std::size_t i = 0; i < 8; ++i) {
      id[15 - i] = static_cast<std::uint8_t>(number >> (8 * i));
    }
    event.name_space = "n";
    event.sender = "s";
    event.origin = std::to_string(number);
    event.type = "t";
    event.value = std::move(value);
    AppendPayloadJson(event, &payload_json);
  }
  [[nodiscard]] StoreEvent stored() const {
    return {.id = id,
            .event = event,
            .payload_json = payload_json,
            .timestamp_ns = 1'527'862'104'772'000'000,
            .received_ns = 1'527'862'105'001'234'567};
  }

  EventId id{};
  Event event;
  std::string payload_json;
};

// Keeps each ticket's outcome; a second one aborts.
class Outcomes : public CompletionSink {
 public:
  struct Ended {
    std::uint32_t ticket;
    Outcome outcome;
    std::string reason;
  };
  void OnComplete(std::uint32_t ticket, Outcome outcome, std::string_view reason) override {
    CHECK(Of(ticket) == nullptr);
    all.push_back({ticket, outcome, std::string(reason)});
  }
  [[nodiscard]] const Ended* Of(std::uint32_t ticket) const {
    for (const Ended& ended : all) {
      if (ended.ticket == ticket) return &ended;
    }
    return nullptr;
  }

  std::vector<Ended> all;
};

}  // namespace collector
