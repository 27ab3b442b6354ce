// CoAP datagrams as a device writes and reads them, by hand: a witness that shares no code with the
// collector's codec.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "collector/base/socket_address.h"

namespace collector {

enum class WireType : unsigned { kCon = 0, kNon = 1, kAck = 2, kRst = 3 };

inline std::string WireHeader(WireType type, unsigned code, std::uint16_t id,
                              std::string_view token) {
  std::string bytes;
  bytes.push_back(static_cast<char>(0x40 | static_cast<unsigned>(type) << 4 | token.size()));
  bytes.push_back(static_cast<char>(code));
  bytes.push_back(static_cast<char>(id >> 8));
  bytes.push_back(static_cast<char>(id & 0xff));
  return bytes.append(token);
}

// POST /events with Content-Format 50.
inline std::string WirePost(WireType type, std::uint16_t id, std::string_view token,
                            std::string_view payload) {
  return WireHeader(type, 0x02, id, token)
      .append(
          "\xb6"
          "events"
          "\x11\x32\xff")
      .append(payload);
}

struct WireAnswer {
  WireType type = WireType::kRst;
  unsigned code = 0;
  std::uint16_t id = 0;
  std::string token;
};

inline WireAnswer ReadWire(std::string_view bytes) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  WireAnswer answer;
  answer.type = static_cast<WireType>(at(0) >> 4 & 3);
  answer.code = at(1);
  answer.id = static_cast<std::uint16_t>(at(2) << 8 | at(3));
  answer.token = bytes.substr(4, at(0) & 0x0f);
  return answer;
}

inline AddressPair WirePeer(std::uint32_t host, std::uint16_t port) {
  sockaddr_in remote{};
  remote.sin_family = AF_INET;
  remote.sin_addr.s_addr = htonl(0x7f000000 | host);
  remote.sin_port = htons(port);
  sockaddr_in local = remote;
  local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  AddressPair addresses;
  addresses.remote = SocketAddress(remote);
  addresses.local = SocketAddress(local);
  return addresses;
}

inline std::string WireEvent(std::string_view origin, std::uint64_t value,
                             std::string_view timestamp = {}) {
  std::string text = R"({"namespace":"n","sender":"s","origin":")";
  text.append(origin).append(R"(","payload":{"type":"t","value":)").append(std::to_string(value));
  text.append("}");
  if (!timestamp.empty()) text.append(R"(,"timestamp":")").append(timestamp).append("\"");
  return text.append("}");
}

}  // namespace collector
