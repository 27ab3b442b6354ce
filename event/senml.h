// SenML (RFC 8428): packs of measurements in the standard's own JSON, as events.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "event/event_list.h"

namespace simdjson::dom {
class parser;
}

namespace collector {

// Holds the parser's memory. One thread.
class SenmlDecoder {
 public:
  SenmlDecoder();
  ~SenmlDecoder();
  SenmlDecoder(const SenmlDecoder&) = delete;
  SenmlDecoder& operator=(const SenmlDecoder&) = delete;

  // Reads a pack in JSON: each of its records becomes one event, as docs/protocol.md says. Failure
  // and *diagnostic as of EventJsonDecoder: "[2].v is not a number".
  bool Decode(std::string_view text, EventList* events, std::string* diagnostic);

 private:
  std::unique_ptr<simdjson::dom::parser> parser_;
};

}  // namespace collector
