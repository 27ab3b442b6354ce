#include "client/recorded_time.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <ctime>

#include "collector/base/nanoseconds.h"
#include "event/timestamp.h"

namespace collector::client {
namespace {

// What a bare number must be to be taken for one of these without being told.
constexpr double kSecondsFrom = 1e8;        // March 1973
constexpr double kMillisecondsFrom = 1e11;  // the same, and as seconds the year 5138
constexpr double kMillisecondsTo = 1e14;

constexpr std::string_view kMidnight = "1970-01-01T00:00:00";  // what a shorter time lacks

template <typename Number>
std::optional<Number> ReadNumber(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<std::int64_t> FromZero(std::optional<std::int64_t> timestamp_ns) {
  return timestamp_ns.has_value() && *timestamp_ns >= 0 ? timestamp_ns : std::nullopt;
}

std::optional<std::int64_t> ReadSeconds(std::string_view text) {
  if (const auto whole = ReadNumber<std::int64_t>(text)) return FromZero(NanosecondsOf(*whole));
  const auto number = ReadNumber<double>(text);
  return number.has_value() ? FromZero(NanosecondsOf(*number)) : std::nullopt;
}

std::optional<std::int64_t> ReadMilliseconds(std::string_view text) {
  if (const auto whole = ReadNumber<std::int64_t>(text)) {
    const auto seconds_ns = NanosecondsOf(*whole / 1'000);
    if (*whole < 0 || !seconds_ns.has_value()) return std::nullopt;
    return *seconds_ns + *whole % 1'000 * kNsPerMs;
  }
  const auto number = ReadNumber<double>(text);
  return number.has_value() ? FromZero(NanosecondsOf(*number / 1e3)) : std::nullopt;
}

std::int64_t SecondsAtStartOf(int year) {
  const std::chrono::year_month_day first{std::chrono::year{year}, std::chrono::month{1},
                                          std::chrono::day{1}};
  return std::chrono::seconds(std::chrono::sys_days{first}.time_since_epoch()).count();
}

}  // namespace

Result<TimeFormat> TimeFormat::Create(std::string_view format, std::string_view utc_offset) {
  const std::string zone(utc_offset.empty() ? "Z" : utc_offset);
  // A day in, so that no offset leads before 1970.
  if (!ParseTimestamp("1970-01-02T00:00:00" + zone).has_value()) {
    return Error{ErrorCode::kInvalid, "'" + zone + "' is no offset from UTC, like +02:00"};
  }
  if (format == "auto") return TimeFormat(Kind::kAuto, "", zone);
  if (format == "seconds") return TimeFormat(Kind::kSeconds, "", zone);
  if (format == "milliseconds") return TimeFormat(Kind::kMilliseconds, "", zone);
  if (format == "year") return TimeFormat(Kind::kYear, "", zone);
  if (format.find('%') != std::string_view::npos) {
    return TimeFormat(Kind::kPattern, std::string(format), zone);
  }
  return Error{ErrorCode::kInvalid,
               "'" + std::string(format) +
                   "' is not auto, seconds, milliseconds, year or a pattern like %d.%m.%Y"};
}

std::optional<std::int64_t> TimeFormat::Read(std::string_view text) const {
  switch (kind_) {
    case Kind::kAuto:
      return ReadAuto(text);
    case Kind::kSeconds:
      return ReadSeconds(text);
    case Kind::kMilliseconds:
      return ReadMilliseconds(text);
    case Kind::kYear:
      return ReadYear(text);
    case Kind::kPattern:
      return ReadPattern(std::string(text));
  }
  return std::nullopt;
}

std::optional<std::int64_t> TimeFormat::ReadAuto(std::string_view text) const {
  if (const auto timestamp_ns = ParseTimestamp(text)) return timestamp_ns;
  if (const auto number = ReadNumber<double>(text)) {
    if (*number >= kSecondsFrom && *number < kMillisecondsFrom) return ReadSeconds(text);
    if (*number >= kMillisecondsFrom && *number < kMillisecondsTo) return ReadMilliseconds(text);
    return std::nullopt;
  }
  constexpr std::size_t kDate = std::string_view("1970-01-01").size();
  constexpr std::size_t kToMinutes = std::string_view("1970-01-01T00:00").size();
  std::string whole(text);
  if (whole.size() > kDate && whole[4] == '/' && whole[7] == '/') whole[4] = whole[7] = '-';
  if (whole.size() == kDate) std::replace(whole.begin(), whole.end(), '/', '-');
  if (whole.size() == kDate || whole.size() == kToMinutes) {
    whole += kMidnight.substr(whole.size());
  }
  return ParseTimestamp(whole + utc_offset_);
}

std::optional<std::int64_t> TimeFormat::ReadYear(std::string_view text) const {
  const auto years = ReadNumber<double>(text);
  if (!years.has_value() || !(*years >= 1970 && *years < 2262)) return std::nullopt;
  const int year = static_cast<int>(*years);
  const std::int64_t start = SecondsAtStartOf(year);
  const auto length = static_cast<double>(SecondsAtStartOf(year + 1) - start);
  const std::int64_t seconds = start + std::llround((*years - year) * length);
  return NanosecondsOf(seconds);
}

std::optional<std::int64_t> TimeFormat::ReadPattern(const std::string& text) const {
  std::tm parts{};
  parts.tm_mday = 1;
  const char* end = strptime(text.c_str(), pattern_.c_str(), &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  const bool zoned = pattern_.find("%z") != std::string::npos;
  const std::int64_t offset_s = parts.tm_gmtoff;  // timegm overwrites it
  const int day = parts.tm_mday;
  const std::int64_t seconds = timegm(&parts);
  if (parts.tm_mday != day) return std::nullopt;  // the 31st of June
  if (zoned) return FromZero(NanosecondsOf(seconds - offset_s));
  if (seconds < 0) return std::nullopt;
  const auto timestamp_ns = NanosecondsOf(seconds);
  if (!timestamp_ns.has_value()) return std::nullopt;
  const std::string utc = FormatTimestamp(*timestamp_ns);
  return ParseTimestamp(utc.substr(0, utc.size() - 1) + utc_offset_);
}

}  // namespace collector::client
