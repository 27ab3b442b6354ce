#include "client/commands/city.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>
#include <utility>

#include "client/commands/delivery_options.h"
#include "client/exit_status.h"
#include "client/http.h"
#include "client/sender.h"
#include "client/weather.h"

namespace collector::client {
namespace {

constexpr std::chrono::seconds kWeatherTimeout{15};

std::string OrEmpty(const char* text) { return text == nullptr ? "" : text; }

}  // namespace

int CityCommand::operator()(const Settings& settings) const {
  if (key.empty()) {
    return Fail("OPENWEATHERMAP_APIKEY is not set; a key is free at openweathermap.org/api",
                kExitFailed);
  }
  auto response = Ask({.url = WeatherUrl(url, name, key), .timeout = kWeatherTimeout});
  if (!response.ok()) return Fail(response.error().message, kExitFailed);
  auto readings = ReadWeather(response.value().status, response.value().body, name);
  if (!readings.ok()) return Fail(readings.error().message, kExitFailed);

  Settings named = settings;
  named.sender = settings.sender.value_or("weather-city");
  named.origin = settings.origin.value_or(name);
  auto sender = Sender::Create(named, delivery);
  if (!sender.ok()) return Fail(sender.error().message, kExitFailed);
  for (Reading& reading : readings.value()) {
    if (!sender.value()->Send(std::move(reading))) break;
  }
  return sender.value()->Finish();
}

CommandSpec AddCity(CLI::App* app, const Environment& environment) {
  const auto city = std::make_shared<CityCommand>();
  city->key = OrEmpty(environment("OPENWEATHERMAP_APIKEY"));
  if (const std::string url = OrEmpty(environment("OPENWEATHERMAP_URL")); !url.empty()) {
    city->url = url;
  }
  CLI::App* command = app->add_subcommand(
      "city",
      "Send a city's current weather\n\n"
      "Examples:\n"
      "  OPENWEATHERMAP_APIKEY=... client city Madrid\n"
      "  client -o capital city London,GB\n\n"
      "From openweathermap.org: temperature (Celsius), humidity (%), pressure (hPa), windSpeed\n"
      "(m/s), windDirection (degrees), cloudiness (%), visibility (m), rain, snow (mm in the last\n"
      "hour), weather; one event each, with the time of the report. Sender is weather-city and\n"
      "origin the city, unless given. OPENWEATHERMAP_URL asks another server.\n");
  command->add_option("name", city->name, "The city, as openweathermap.org knows it")->required();
  AddDeliveryOptions(command, &city->delivery);
  return {.app = command, .make = [city]() -> Result<Run> { return Run(*city); }};
}

}  // namespace collector::client
