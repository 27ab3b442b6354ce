// Pre-shared keys: whose they are, and how a file tells them.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "collector/base/result.h"

namespace collector {

using PskTable = std::unordered_map<std::string, std::string>;  // identity to key, in bytes

// One "identity:key" a line; the last colon counts, because an identity may hold some. A key is 16
// to 64 bytes in hexadecimal digits, or else in base64. Empty lines and those that begin with '#'
// say nothing. Errors are kConfig and tell the line, never a key.
Result<PskTable> ParsePskFile(std::string_view text);

}  // namespace collector
