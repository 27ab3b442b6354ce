// Timestamps as RFC 3339 writes them, and as nanoseconds since the Unix epoch.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace collector {

// Reads an RFC 3339 date-time ("2018-06-01T14:08:24.772Z", "...+02:00"), at most nine fractional
// digits, from 1970 to 2262 (what int64 nanoseconds hold). A leap second (":60") is read as the
// second after. Anything else, or a day that no calendar has: nullopt.
std::optional<std::int64_t> ParseTimestamp(std::string_view text);

// Seconds since the epoch, or from another moment on, as nanoseconds. Whole seconds are exact; of
// others microseconds are kept, which is what a double holds of our time. Beyond what
// ParseTimestamp reads, either way: nullopt.
std::optional<std::int64_t> NanosecondsOf(std::int64_t seconds);
std::optional<std::int64_t> NanosecondsOf(double seconds);

// Writes UTC with as many fractional digits as needed, in groups of three (none, ms, us, ns).
std::string FormatTimestamp(std::int64_t timestamp_ns);
void AppendTimestamp(std::int64_t timestamp_ns, std::string* out);

}  // namespace collector
