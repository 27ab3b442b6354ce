// Bodies of requests as events, whatever they are written in.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "event/event_json.h"
#include "event/event_list.h"
#include "event/senml.h"

namespace collector {

enum class EventFormat : std::uint8_t { kJson, kCbor, kSenmlJson, kSenmlCbor };

// Keeps its memory from body to body. One thread.
class EventDecoder {
 public:
  // Reads all events of a body, or none: failure and *diagnostic as of EventJsonDecoder.
  bool Decode(EventFormat format, std::string_view body, std::string* diagnostic);

  // Those of the last body that was read; not empty. Good until the next.
  [[nodiscard]] std::span<const Event> events() const { return events_.events(); }

 private:
  EventJsonDecoder json_;
  SenmlDecoder senml_;
  EventList events_;
  std::string json_text_;  // of a body in CBOR
};

}  // namespace collector
