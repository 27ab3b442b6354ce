// client city: the current weather of a city, from openweathermap.org.
#pragma once

#include <string>

#include "client/settings.h"

namespace collector::client {

struct CityOptions {
  std::string name;
  std::string key;  // of openweathermap.org
  std::string url = "https://api.openweathermap.org";
};

// Sends the weather as several events (weather.h lists them); sender and origin, where not given,
// are "weather-city" and the city's name. Returns the exit status.
int RunCity(const Settings& settings, const CityOptions& options);

}  // namespace collector::client
