// client city: the current weather of a city, from openweathermap.org.
#pragma once

#include <string>

#include "client/commands/command.h"
#include "client/delivery.h"

namespace collector::client {

struct CityCommand {
  std::string name{};
  std::string key{};  // of openweathermap.org
  std::string url = "https://api.openweathermap.org";
  Delivery delivery{};

  // Sends the weather as several events (weather.h lists them); sender and origin, where not given,
  // are "weather-city" and the city's name.
  int operator()(const Settings& settings) const;
};

CommandSpec AddCity(CLI::App* app, const Environment& environment);

}  // namespace collector::client
