// What openweathermap.org says of a city's weather, as readings. Pure: asks nobody.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "client/sender.h"
#include "collector/base/result.h"

namespace collector::client {

// Where the current weather of `city` is asked, in metric units. `base` is scheme and host.
std::string WeatherUrl(std::string_view base, std::string_view city, std::string_view key);

// Reads the answer to it. Each reading has the time at which the weather was measured, so that the
// same weather asked twice is stored once:
//   temperature (Celsius), humidity (%), pressure (hPa), windSpeed (m/s), windDirection (degrees),
//   cloudiness (%), visibility (m), rain and snow (mm in the last hour), weather (in words)
// Those that the answer lacks are left out; an answer without time or temperature is an Error, and
// so is any status but 200, each with what a person can do about it.
Result<std::vector<Reading>> ReadWeather(int status, std::string_view body, std::string_view city);

}  // namespace collector::client
