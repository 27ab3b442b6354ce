#include "client/stored/stored_events.h"

#include <utility>

namespace collector::client {

bool SetPayload(Json payload, Event* event) {
  if (!payload.is_object()) return false;
  const auto type = payload.find("type");
  const auto value = payload.find("value");
  if (type == payload.end() || !type->is_string() || value == payload.end() || value->is_null()) {
    return false;
  }
  event->type = type->get<std::string>();
  event->value = std::move(*value);
  payload.erase("type");
  payload.erase("value");
  if (!payload.empty()) event->extra = std::move(payload);
  return true;
}

}  // namespace collector::client
