// The event: what a device reports, as collector and client both hold it. A plain value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace collector {

using Json = nlohmann::json;

// Limits of one event, in bytes of UTF-8 (names, client id) and levels (payload).
inline constexpr std::size_t kNameBytesMax = 256;
inline constexpr std::size_t kClientIdBytesMax = 64;
inline constexpr int kPayloadDepthMax = 16;

// Events in one body.
inline constexpr std::size_t kEventsPerBodyMax = 1'000;

struct Event {
  std::string name_space;  // "namespace" on the wire; names are never empty
  std::string sender;
  std::string origin;
  std::string type;                          // payload.type
  Json value;                                // payload.value; never null
  Json extra;                                // payload's other members: null, or an object
  std::optional<std::int64_t> timestamp_ns;  // since the Unix epoch, never negative
  std::int64_t arrival_offset_ns = 0;        // without one: when it was, from its arrival on
  std::string client_id;                     // "id" on the wire; empty: none
};

}  // namespace collector
