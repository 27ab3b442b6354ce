#include "client/commands/checks.h"

#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <system_error>

#include "client/value.h"
#include "event/timestamp.h"

namespace collector::client {
namespace {

constexpr double kPaceSecondsMax = 1e7;

}  // namespace

std::string CheckFinite(const std::string& text) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  if (end == text.c_str() || *end != '\0' || !std::isfinite(number)) {
    return "'" + text + "' is not a number";
  }
  return "";
}

std::string CheckPositive(const std::string& text) {
  if (std::string error = CheckFinite(text); !error.empty()) return error;
  return std::strtod(text.c_str(), nullptr) > 0 ? "" : "'" + text + "' is not positive";
}

std::string CheckCount(const std::string& text) {
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && count >= 0 ? "" : "'" + text + "' is not a whole number from 0";
}

std::string CheckPace(const std::string& text) {
  if (std::string error = CheckFinite(text); !error.empty()) return error;
  const double seconds = std::strtod(text.c_str(), nullptr);
  return seconds >= 0 && seconds <= kPaceSecondsMax ? "" : "'" + text + "' is not 0 to 1e7 seconds";
}

std::string CheckTimestamp(const std::string& text) {
  return ParseTimestamp(text).has_value()
             ? ""
             : "'" + text + "' is not RFC 3339, like 2018-06-01T14:08:24.772Z";
}

std::string CheckValue(const std::string& text) {
  const auto value = ParseValue(text);
  return value.ok() ? "" : value.error().message;
}

std::chrono::nanoseconds Seconds(double seconds) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double>(seconds));
}

bool IsNegativeNumber(const std::string& argument) {
  return argument.size() > 1 && argument[0] == '-' &&
         (std::isdigit(static_cast<unsigned char>(argument[1])) != 0 || argument[1] == '.');
}

std::string Unshield(std::string argument) {
  if (argument.size() > 1 && argument[0] == ' ' && IsNegativeNumber(argument.substr(1))) {
    argument.erase(0, 1);
  }
  return argument;
}

}  // namespace collector::client
