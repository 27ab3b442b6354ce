// Where an event says something is: positions among payload values.
#pragma once

#include <optional>
#include <string_view>

namespace collector {

struct Position {
  double latitude = 0;  // degrees
  double longitude = 0;
};

// The position that "value" of a payload (JSON) is: {"lat", "lon"} (or "lng"), {"latitude",
// "longitude"}, GeoJSON's {"type": "Point", "coordinates": [longitude, latitude]}, or such an array
// alone. None if it is none, or lies off the globe.
std::optional<Position> PositionOf(std::string_view payload_json);

}  // namespace collector
