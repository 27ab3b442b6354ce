#include "collector/store/sqlite/position.h"

#include "event/event.h"

namespace collector {
namespace {

std::optional<Position> Checked(const Json& latitude, const Json& longitude) {
  if (!latitude.is_number() || !longitude.is_number()) return std::nullopt;
  const Position position{.latitude = latitude.get<double>(), .longitude = longitude.get<double>()};
  const bool on_globe = position.latitude >= -90 && position.latitude <= 90 &&
                        position.longitude >= -180 && position.longitude <= 180;
  return on_globe ? std::optional(position) : std::nullopt;
}

// GeoJSON has the longitude first, and may have an altitude third.
std::optional<Position> FromCoordinates(const Json& array) {
  if (!array.is_array() || array.size() < 2 || array.size() > 3) return std::nullopt;
  return Checked(array[1], array[0]);
}

}  // namespace

std::optional<Position> PositionOf(std::string_view payload_json) {
  const Json payload = Json::parse(payload_json, nullptr, false);
  if (!payload.is_object()) return std::nullopt;
  const auto value = payload.find("value");
  if (value == payload.end()) return std::nullopt;
  if (value->is_array()) return FromCoordinates(*value);
  if (!value->is_object()) return std::nullopt;
  for (const auto& [latitude, longitude] :
       {std::pair{"lat", "lon"}, {"lat", "lng"}, {"latitude", "longitude"}}) {
    if (value->contains(latitude) && value->contains(longitude)) {
      return Checked((*value)[latitude], (*value)[longitude]);
    }
  }
  if (value->contains("coordinates") && value->value("type", Json()) == "Point") {
    return FromCoordinates((*value)["coordinates"]);
  }
  return std::nullopt;
}

}  // namespace collector
