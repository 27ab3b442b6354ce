#include "client/commands/city.h"

#include <chrono>
#include <utility>

#include "client/exit_status.h"
#include "client/http_get.h"
#include "client/sender.h"
#include "client/weather.h"

namespace collector::client {
namespace {

constexpr std::chrono::seconds kTimeout{15};

}  // namespace

int RunCity(const Settings& settings, const CityOptions& options) {
  if (options.key.empty()) {
    return Fail("OPENWEATHERMAP_APIKEY is not set; a key is free at openweathermap.org/api",
                kExitFailed);
  }
  auto response = HttpGet(WeatherUrl(options.url, options.name, options.key), kTimeout);
  if (!response.ok()) return Fail(response.error().message, kExitFailed);
  auto readings = ReadWeather(response.value().status, response.value().body, options.name);
  if (!readings.ok()) return Fail(readings.error().message, kExitFailed);

  Settings named = settings;
  named.sender = settings.sender.value_or("weather-city");
  named.origin = settings.origin.value_or(options.name);
  auto sender = Sender::Create(named);
  if (!sender.ok()) return Fail(sender.error().message, kExitFailed);
  for (Reading& reading : readings.value()) {
    if (!sender.value()->Send(std::move(reading))) break;
  }
  return sender.value()->Finish();
}

}  // namespace collector::client
