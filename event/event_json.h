// Events as JSON: the form devices send, the form stores keep, the form the client prints.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "event/event.h"
#include "event/event_list.h"

namespace simdjson::dom {
class parser;
}

namespace collector {

// How a member "timestamp" may be written: as RFC 3339 text, or as a number of seconds as well.
enum class Timestamps : std::uint8_t { kText, kTextOrSeconds };

// Reads events; holds the parser's memory so that one event costs no allocation. One thread.
class EventJsonDecoder {
 public:
  EventJsonDecoder();
  ~EventJsonDecoder();
  EventJsonDecoder(const EventJsonDecoder&) = delete;
  EventJsonDecoder& operator=(const EventJsonDecoder&) = delete;

  // Reads one event, or an array of them. On success fills *events and returns true. On failure
  // returns false and writes to *diagnostic what a person must mend, naming the member ("origin is
  // missing", in an array "[3].origin is missing"), at most 64 bytes of printable ASCII, as the
  // payload of a 4.00 answer (RFC 7252 section 5.5.2). Unknown members of an event are refused: a
  // misspelt "timestamp" must not be lost silently.
  bool Decode(std::string_view text, Timestamps timestamps, EventList* events,
              std::string* diagnostic);

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
