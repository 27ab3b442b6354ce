// Where the collector is, as people name it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "collector/base/result.h"

namespace collector::client {

struct Endpoint {
  std::string host{};  // a name or an address, without brackets
  std::optional<std::uint16_t> port{};
  bool dtls = false;
};

// Reads "edge.example", "192.0.2.1", "::1", "[::1]" or a URI, "coap://host[:port][/]" or
// "coaps://...", which is DTLS. Errors: what
// is none of these, another scheme, a URI with more than host and port.
Result<Endpoint> ParseEndpoint(std::string_view text);

}  // namespace collector::client
