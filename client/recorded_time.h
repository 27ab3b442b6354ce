// Times as other programs write them: in recordings, in the payloads of messages.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "collector/base/result.h"

namespace collector::client {

class TimeFormat {
 public:
  // How times are written:
  //   "auto"                     RFC 3339; a date, alone or with a time of day but without a zone
  //                              (2012-01-31, 2012/01/31 14:30, 2012-01-31T14:30:05.25); or, from
  //                              1973 on, a number of seconds or milliseconds since 1970
  //   "seconds", "milliseconds"  since 1970; with a fraction, microseconds count
  //   "year"                     1998, or 1998.25 for a quarter of it later
  //   with a %                   a pattern of strptime(3), like %d.%m.%Y
  // `utc_offset`, like +02:00, counts where a time is written without zone; "" is UTC. An Error
  // tells what of the two is wrong.
  static Result<TimeFormat> Create(std::string_view format, std::string_view utc_offset);

  // Nanoseconds since 1970. What does not read so, or is earlier or after 2261: nullopt.
  [[nodiscard]] std::optional<std::int64_t> Read(std::string_view text) const;

 private:
  enum class Kind { kAuto, kSeconds, kMilliseconds, kYear, kPattern };

  TimeFormat(Kind kind, std::string pattern, std::string utc_offset)
      : kind_(kind), pattern_(std::move(pattern)), utc_offset_(std::move(utc_offset)) {}

  [[nodiscard]] std::optional<std::int64_t> ReadAuto(std::string_view text) const;
  [[nodiscard]] std::optional<std::int64_t> ReadYear(std::string_view text) const;
  [[nodiscard]] std::optional<std::int64_t> ReadPattern(const std::string& text) const;

  Kind kind_;
  std::string pattern_;
  std::string utc_offset_;  // as RFC 3339 ends
};

}  // namespace collector::client
