#include "collector/base/socket_address.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <array>
#include <charconv>
#include <memory>

namespace collector {

Result<SocketAddress> SocketAddress::Parse(std::string_view text) {
  const auto bad = [&] {
    return Error{ErrorCode::kInvalid, "'" + std::string(text) +
                                          "' is not an address and port, as 127.0.0.1:5683 or "
                                          "[::1]:5683"};
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad();
  std::string_view host = text.substr(0, colon);
  const std::string_view port_text = text.substr(colon + 1);
  std::uint16_t port = 0;
  const char* port_end = port_text.data() + port_text.size();
  const std::from_chars_result parsed = std::from_chars(port_text.data(), port_end, port);
  if (parsed.ec != std::errc{} || parsed.ptr != port_end) return bad();

  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST;
  hints.ai_family = bracketed ? AF_INET6 : AF_INET;
  addrinfo* found = nullptr;
  if (getaddrinfo(std::string(host).c_str(), nullptr, &hints, &found) != 0) return bad();
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> guard(found, &freeaddrinfo);
  if (found->ai_family == AF_INET) {
    auto v4 = *reinterpret_cast<const sockaddr_in*>(found->ai_addr);
    v4.sin_port = htons(port);
    return SocketAddress(v4);
  }
  auto v6 = *reinterpret_cast<const sockaddr_in6*>(found->ai_addr);
  v6.sin6_port = htons(port);
  return SocketAddress(v6);
}

std::string SocketAddress::ToString() const {
  std::array<char, NI_MAXHOST> host{};
  if (getnameinfo(raw(), size(), host.data(), host.size(), nullptr, 0, NI_NUMERICHOST) != 0) {
    return "?";
  }
  const std::string name(host.data());
  const std::string bracketed = family() == AF_INET6 ? "[" + name + "]" : name;
  return bracketed + ":" + std::to_string(port());
}

std::uint16_t SocketAddress::port() const {
  return ntohs(family() == AF_INET ? v4_.sin_port : v6_.sin6_port);
}

SocketAddress SocketAddress::FurtherBy(std::size_t ports) const {
  SocketAddress further = *this;
  if (port() != 0) further.v4_.sin_port = htons(static_cast<std::uint16_t>(port() + ports));
  return further;  // both families have the port in the same place
}

bool SocketAddress::IsWildcard() const {
  if (family() == AF_INET) return v4_.sin_addr.s_addr == htonl(INADDR_ANY);
  return IN6_IS_ADDR_UNSPECIFIED(&v6_.sin6_addr);
}

bool SocketAddress::IsMulticast() const {
  if (family() == AF_INET) {
    return IN_MULTICAST(ntohl(v4_.sin_addr.s_addr)) || v4_.sin_addr.s_addr == INADDR_BROADCAST;
  }
  return IN6_IS_ADDR_MULTICAST(&v6_.sin6_addr);
}

bool SocketAddress::IsLoopback() const {
  constexpr std::uint32_t kLoopbackNet = 127;
  if (family() == AF_INET) return ntohl(v4_.sin_addr.s_addr) >> 24 == kLoopbackNet;
  const in6_addr& v6 = v6_.sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == kLoopbackNet);
}

}  // namespace collector
