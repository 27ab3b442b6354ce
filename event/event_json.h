// Events as JSON: the form devices send, the form stores keep, the form the client prints.
#pragma once

#include <string>
#include <string_view>

#include "event/event.h"

namespace collector {

// Reads one event. On success fills *event (its strings' memory is reused) and returns true. On
// failure returns false and writes to *diagnostic what a person must mend, naming the field, at
// most 64 bytes of printable ASCII, as the payload of a 4.00 answer (RFC 7252 section 5.5.2).
// Unknown top-level members are refused: a misspelt "timestamp" must not be lost silently.
bool DecodeEventJson(std::string_view text, Event* event, std::string* diagnostic);

// Appends {"type":...,"value":...} and the payload's other members, sorted by name: the canonical
// payload. Equal payloads give equal text whatever their members' order or number notation was.
void AppendPayloadJson(const Event& event, std::string* out);

// The whole event, members in the order of docs/protocol.md.
std::string EncodeEventJson(const Event& event);

}  // namespace collector
