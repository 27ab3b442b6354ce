// Events as JSON: the form devices send, the form stores keep, the form the client prints.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "event/event.h"

namespace simdjson::dom {
class parser;
}

namespace collector {

// Reads events; holds the parser's memory so that one event costs no allocation. One thread.
class EventJsonDecoder {
 public:
  EventJsonDecoder();
  ~EventJsonDecoder();
  EventJsonDecoder(const EventJsonDecoder&) = delete;
  EventJsonDecoder& operator=(const EventJsonDecoder&) = delete;

  // Reads one event. On success fills *event (its strings' memory is reused) and returns true. On
  // failure returns false and writes to *diagnostic what a person must mend, naming the field, at
  // most 64 bytes of printable ASCII, as the payload of a 4.00 answer (RFC 7252 section 5.5.2).
  // Unknown top-level members are refused: a misspelt "timestamp" must not be lost silently.
  bool Decode(std::string_view text, Event* event, std::string* diagnostic);

 private:
  std::unique_ptr<simdjson::dom::parser> parser_;
};

// Append a value, or a text in its quotes, in the notation of the canonical payload.
void AppendJson(const Json& value, std::string* out);
void AppendJsonText(std::string_view text, std::string* out);

// Appends {"type":...,"value":...} and the payload's other members, sorted by name: the canonical
// payload. Equal payloads give equal text whatever their members' order or number notation was.
void AppendPayloadJson(const Event& event, std::string* out);

// The whole event, members in the order of docs/protocol.md.
std::string EncodeEventJson(const Event& event);

}  // namespace collector
