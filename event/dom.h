// What every reader of parsed JSON needs: checks and copies that say in a few words, as the end of
// a diagnostic, what is wrong. An empty answer: nothing is.
#pragma once

#include <simdjson.h>

#include <string>
#include <string_view>

#include "event/event.h"

namespace collector {

// RFC 7252 section 5.5.2: a diagnostic is short. Ours is printable ASCII besides.
inline constexpr std::size_t kDiagnosticBytesMax = 64;

// Writes "what why", cut to kDiagnosticBytesMax. Returns false.
bool Refuse(std::string* diagnostic, std::string_view what, std::string_view why);

// Why a text is not JSON.
std::string_view Explain(simdjson::error_code error);

// What of a sender's own bytes may be given back to it: 32 of them, as far as they print plainly.
std::string Shown(std::string_view text);

std::string_view WhyNoName(std::string_view text);

// The levels of an event above its payload's members.
inline constexpr int kMemberDepth = 3;

// Copies a value at nesting level `depth`, or adds it to an object; recursion is bounded by
// kPayloadDepthMax.
std::string_view CopyValue(const simdjson::dom::element& from, int depth, Json* to);
std::string_view CopyMember(std::string_view key, const simdjson::dom::element& value, int depth,
                            Json* to);

}  // namespace collector
