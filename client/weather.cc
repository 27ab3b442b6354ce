#include "client/weather.h"

#include <array>
#include <cstdint>

#include "client/http.h"
#include "client/value.h"
#include "collector/base/nanoseconds.h"

namespace collector::client {
namespace {

constexpr std::int64_t kSecondsMax = 9'000'000'000;  // in 2255; what nanoseconds hold

struct Quantity {
  const char* type;
  const char* path;  // RFC 6901
};
constexpr std::array kQuantities{
    Quantity{"temperature", "/main/temp"},  Quantity{"humidity", "/main/humidity"},
    Quantity{"pressure", "/main/pressure"}, Quantity{"windSpeed", "/wind/speed"},
    Quantity{"windDirection", "/wind/deg"}, Quantity{"cloudiness", "/clouds/all"},
    Quantity{"visibility", "/visibility"},  Quantity{"rain", "/rain/1h"},
    Quantity{"snow", "/snow/1h"},           Quantity{"weather", "/weather/0/description"}};

Error StatusError(int status, const Json& answer, std::string_view city) {
  const std::string name(city);
  switch (status) {
    case 401:
      return {ErrorCode::kInvalid,
              "openweathermap.org refuses the key in OPENWEATHERMAP_APIKEY (a new one takes up to "
              "two hours to work)"};
    case 404:
      return {ErrorCode::kInvalid, "openweathermap.org knows no city '" + name +
                                       "'; try it with its country, like 'London,GB'"};
    case 429:
      return {ErrorCode::kUnavailable,
              "openweathermap.org: the key's limit of requests is reached; try later"};
    default:
      break;
  }
  std::string message = "openweathermap.org answered HTTP " + std::to_string(status);
  if (answer.is_object() && answer.contains("message") && answer["message"].is_string()) {
    message += ": " + Printable(answer["message"].get_ref<const std::string&>().substr(0, 200));
  }
  return {ErrorCode::kUnavailable, message};
}

}  // namespace

std::string WeatherUrl(std::string_view base, std::string_view city, std::string_view key) {
  while (!base.empty() && base.back() == '/') base.remove_suffix(1);
  return std::string(base) + "/data/2.5/weather?units=metric&q=" + UrlEncode(city) +
         "&appid=" + UrlEncode(key);
}

Result<std::vector<Reading>> ReadWeather(int status, std::string_view body, std::string_view city) {
  const Json answer = Json::parse(body.begin(), body.end(), nullptr, /*allow_exceptions=*/false);
  if (status != 200) return StatusError(status, answer, city);
  const Error malformed{ErrorCode::kUnavailable,
                        "openweathermap.org's answer is not a weather report"};
  if (!answer.is_object() || !answer.contains("dt")) return malformed;
  const Json& dt = answer["dt"];
  if (!dt.is_number_unsigned() || dt.get<std::uint64_t>() > kSecondsMax) return malformed;
  std::vector<Reading> readings;
  for (const Quantity& quantity : kQuantities) {
    const Json::json_pointer path(quantity.path);
    if (!answer.contains(path)) continue;
    const Json& value = answer[path];
    if (!value.is_number() && !value.is_string()) return malformed;
    readings.push_back({.type = quantity.type,
                        .value = value,
                        .timestamp_ns = dt.get<std::int64_t>() * kNsPerSecond});
  }
  if (readings.empty() || readings.front().type != "temperature") return malformed;
  return readings;
}

}  // namespace collector::client
