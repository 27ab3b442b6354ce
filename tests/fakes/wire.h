// CoAP datagrams as a device writes and reads them, by hand: a witness that shares no code with the
// collector's codec.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

// An option after one numbered `last` (RFC 7252 section 3.1).
inline std::string WireOption(unsigned last, unsigned number, std::string_view value) {
  std::string header(1, '\0');
  const auto nibble = [&header](std::size_t n) -> unsigned {
    if (n < 13) return static_cast<unsigned>(n);
    if (n < 269) {
      header.push_back(static_cast<char>(n - 13));
      return 13;
    }
    header.push_back(static_cast<char>((n - 269) >> 8));
    header.push_back(static_cast<char>((n - 269) & 0xff));
    return 14;
  };
  const unsigned delta = nibble(number - last);
  const unsigned length = nibble(value.size());
  header[0] = static_cast<char>(delta << 4 | length);
  return header.append(value);
}

// In the fewest bytes that hold it, as CoAP writes numbers.
inline std::string WireUint(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) {
    if (!bytes.empty() || value >> shift != 0) {
      bytes.push_back(static_cast<char>(value >> shift & 0xff));
    }
  }
  return bytes;
}

struct WireRequest {
  WireType type = WireType::kCon;
  unsigned code = 0x01;
  std::uint16_t id = 0;
  std::string token = "t";
  std::string path = "events";  // one or two segments
  std::multimap<unsigned, std::string> options = {};
  std::string payload = {};

  [[nodiscard]] std::string Bytes() const {
    auto all = options;
    for (std::size_t start = 0; start < path.size();) {
      const std::size_t end = std::min(path.find('/', start), path.size());
      all.emplace(11, path.substr(start, end - start));
      start = end + 1;
    }
    std::string bytes = WireHeader(type, code, id, token);
    unsigned last = 0;
    for (const auto& [number, value] : all) {
      bytes += WireOption(last, number, value);
      last = number;
    }
    if (!payload.empty()) bytes.append("\xff").append(payload);
    return bytes;
  }
};

inline constexpr unsigned kWireBlock1 = 27;

inline std::uint32_t WireBlock(std::uint32_t number, bool more, unsigned size_exponent) {
  return number << 4 | (more ? 8U : 0U) | size_exponent;
}

// The request for one block of a body that is posted to /events.
inline WireRequest WirePostBlock(std::uint16_t id, std::string_view body, std::uint32_t number,
                                 unsigned size_exponent) {
  const std::size_t bytes = std::size_t{16} << size_exponent;
  const bool more = (number + 1) * bytes < body.size();
  return {
      .code = 0x02,
      .id = id,
      .options = {{12, "\x32"}, {kWireBlock1, WireUint(WireBlock(number, more, size_exponent))}},
      .payload = std::string(body.substr(number * bytes, bytes))};
}

// POST /events.
inline std::string WirePost(WireType type, std::uint16_t id, std::string_view token,
                            std::string_view payload, char content_format = 50) {
  return WireHeader(type, 0x02, id, token)
      .append(
          "\xb6"
          "events"
          "\x11")
      .append({content_format, '\xff'})
      .append(payload);
}

struct WireAnswer {
  WireType type = WireType::kRst;
  unsigned code = 0;
  std::uint16_t id = 0;
  std::string token;
  std::multimap<unsigned, std::string> options;
  std::string payload;

  // An option's value as a number.
  [[nodiscard]] std::optional<std::uint32_t> Uint(unsigned number) const {
    const auto found = options.find(number);
    if (found == options.end()) return {};
    std::uint32_t value = 0;
    for (const char c : found->second) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
};

inline WireAnswer ReadWire(std::string_view bytes) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  WireAnswer answer;
  answer.type = static_cast<WireType>(at(0) >> 4 & 3);
  answer.code = at(1);
  answer.id = static_cast<std::uint16_t>(at(2) << 8 | at(3));
  answer.token = bytes.substr(4, at(0) & 0x0f);
  std::size_t i = 4 + answer.token.size();
  const auto extended = [&](unsigned nibble) -> unsigned {
    if (nibble < 13) return nibble;
    if (nibble == 13) return 13U + at(i++);
    i += 2;
    return 269U + (static_cast<unsigned>(at(i - 2)) << 8 | at(i - 1));
  };
  for (unsigned number = 0; i < bytes.size() && at(i) != 0xff;) {
    const unsigned first = at(i++);
    number += extended(first >> 4);
    const unsigned length = extended(first & 0x0f);
    answer.options.emplace(number, bytes.substr(i, length));
    i += length;
  }
  if (i < bytes.size()) answer.payload = bytes.substr(i + 1);
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

inline std::string WireArray(const std::vector<std::string>& events) {
  std::string text;
  for (const std::string& event : events) text.append(text.empty() ? "[" : ",").append(event);
  return text.append("]");
}

}  // namespace collector
