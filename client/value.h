// Payload values as a person types them.
#pragma once

#include <string>
#include <string_view>

#include "collector/base/result.h"
#include "event/event.h"

namespace collector::client {

// Reads a value: JSON where it is JSON (21.5, true, {"lat":1,"lon":2}, "21.5" in quotes for a text
// that looks like a number), else a text (hello, NaN, 0x10). A decimal fraction may lack its zero
// (.5, -.5). Refused: null, and what begins like an object or array and is none, because a
// misspelt position must not be stored as a text.
Result<Json> ParseValue(std::string_view text);

bool IsUtf8(std::string_view text);

// Nested more than 64 levels deep: copying and writing JSON calls itself for each level.
bool IsDeep(const Json& json);

// For people's terminals: what came from outside, without control characters.
std::string Printable(std::string_view text);

}  // namespace collector::client
