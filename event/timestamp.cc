#include "event/timestamp.h"

#include <array>
#include <chrono>
#include <cmath>

#include "collector/base/nanoseconds.h"

namespace collector {
namespace {

constexpr std::int64_t kSecondsEnd = 9'214'646'400;  // 2262-01-01T00:00:00Z

// A cursor over the text that reads fixed-width numbers and single characters.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool Digits(int count, int* out) {
    *out = 0;
    for (int i = 0; i < count; ++i, ++at_) {
      if (!AtDigit()) return false;
      *out = *out * 10 + (text_[at_] - '0');
    }
    return true;
  }

  bool One(std::string_view any_of) {
    if (AtEnd()) return false;
    for (const char c : any_of) {
      if (text_[at_] != c) continue;
      ++at_;
      return true;
    }
    return false;
  }

  [[nodiscard]] bool AtDigit() const {
    return at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9';
  }
  [[nodiscard]] bool AtEnd() const { return at_ == text_.size(); }
  [[nodiscard]] char Last() const { return text_[at_ - 1]; }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

bool ScanFraction(Scanner* scan, std::int64_t* ns) {
  *ns = 0;
  if (!scan->One(".")) return true;
  std::int64_t scale = kNsPerSecond;
  while (scan->AtDigit()) {
    int digit = 0;
    if (scale == 1 || !scan->Digits(1, &digit)) return false;
    scale /= 10;
    *ns += digit * scale;
  }
  return scale < kNsPerSecond;
}

bool ScanOffset(Scanner* scan, int* offset_minutes) {
  *offset_minutes = 0;
  if (scan->One("Zz")) return true;
  if (!scan->One("+-")) return false;
  const int sign = scan->Last() == '-' ? -1 : 1;
  int hours = 0;
  int minutes = 0;
  if (!scan->Digits(2, &hours) || !scan->One(":") || !scan->Digits(2, &minutes)) return false;
  if (hours > 23 || minutes > 59) return false;
  *offset_minutes = sign * (hours * 60 + minutes);
  return true;
}

// Writes `count` digits and what follows them; returns where the next go.
char* PutDigits(std::int64_t number, int count, char then, char* to) {
  for (int i = count - 1; i >= 0; --i, number /= 10) to[i] = static_cast<char>('0' + number % 10);
  to[count] = then;
  return to + count + 1;
}

}  // namespace

std::optional<std::int64_t> ParseTimestamp(std::string_view text) {
  Scanner scan(text);
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, offset_minutes = 0;
  std::int64_t fraction_ns = 0;
  if (!scan.Digits(4, &year) || !scan.One("-") || !scan.Digits(2, &month) || !scan.One("-") ||
      !scan.Digits(2, &day) || !scan.One("Tt ") || !scan.Digits(2, &hour) || !scan.One(":") ||
      !scan.Digits(2, &minute) || !scan.One(":") || !scan.Digits(2, &second) ||
      !ScanFraction(&scan, &fraction_ns) || !ScanOffset(&scan, &offset_minutes) || !scan.AtEnd()) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year{year},
                                         std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (!date.ok() || hour > 23 || minute > 59 || second > 60 || year > 2261) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
  const std::int64_t seconds = ((days * 24 + hour) * 60 + minute - offset_minutes) * 60 + second;
  if (seconds < 0) return std::nullopt;
  return seconds * kNsPerSecond + fraction_ns;
}

std::optional<std::int64_t> NanosecondsOf(std::int64_t seconds) {
  if (seconds <= -kSecondsEnd || seconds >= kSecondsEnd) return std::nullopt;
  return seconds * kNsPerSecond;
}

std::optional<std::int64_t> NanosecondsOf(double seconds) {
  constexpr auto kEnd = static_cast<double>(kSecondsEnd);
  if (!(seconds > -kEnd && seconds < kEnd)) return std::nullopt;
  return std::llround(seconds * 1e6) * 1'000;
}

std::string FormatTimestamp(std::int64_t timestamp_ns) {
  std::string out;
  AppendTimestamp(timestamp_ns, &out);
  return out;
}

void AppendTimestamp(std::int64_t timestamp_ns, std::string* out) {
  const std::int64_t seconds = timestamp_ns / kNsPerSecond;
  const std::int64_t ns = timestamp_ns % kNsPerSecond;
  const std::chrono::sys_seconds time{std::chrono::seconds{seconds}};
  const auto midnight = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{midnight};
  const std::chrono::hh_mm_ss clock{time - midnight};
  std::array<char, 32> text{};
  char* to = text.data();
  to = PutDigits(static_cast<int>(date.year()), 4, '-', to);
  to = PutDigits(static_cast<unsigned>(date.month()), 2, '-', to);
  to = PutDigits(static_cast<unsigned>(date.day()), 2, 'T', to);
  to = PutDigits(clock.hours().count(), 2, ':', to);
  to = PutDigits(clock.minutes().count(), 2, ':', to);
  to = PutDigits(clock.seconds().count(), 2, '.', to);
  if (ns == 0) {
    *(to - 1) = 'Z';
  } else if (ns % 1'000'000 == 0) {
    to = PutDigits(ns / 1'000'000, 3, 'Z', to);
  } else if (ns % 1'000 == 0) {
    to = PutDigits(ns / 1'000, 6, 'Z', to);
  } else {
    to = PutDigits(ns, 9, 'Z', to);
  }
  out->append(text.data(), to);
}

}  // namespace collector
