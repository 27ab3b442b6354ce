// CBOR (RFC 8949) as JSON text, so that an event has one reader and one set of rules whatever it
// was written in.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace collector {

enum class CborLabels : std::uint8_t {
  kText,   // the keys of maps are texts, and there are no byte strings
  kSenml,  // they may be SenML's integers (RFC 8428 section 6), and "vd" may hold a byte string
};

// Writes one data item as JSON to *json: text, numbers, true, false, null, arrays and maps, of
// definite or indefinite length. Of tags 0 and 1 (time) the content is taken, and of 55799 (this is
// CBOR); tag 4 (decimal fraction) becomes the number it means. A byte string becomes base64url.
// What JSON cannot say is refused: false, with the reason in *diagnostic, at most 64 bytes of
// printable ASCII. Keeps nothing but the nesting, 32 levels at most; *json grows with the input, by
// a factor of 8 at most.
bool CborToJson(std::string_view bytes, CborLabels labels, std::string* json,
                std::string* diagnostic);

}  // namespace collector
