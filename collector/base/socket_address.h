// IPv4 and IPv6 socket addresses as values, and the pair of addresses a datagram travelled between.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "collector/base/result.h"

namespace collector {

class SocketAddress {
 public:
  SocketAddress() : v6_{} {}
  explicit SocketAddress(const sockaddr_in& address) : v6_{} { v4_ = address; }
  explicit SocketAddress(const sockaddr_in6& address) : v6_(address) {}

  // "127.0.0.1:5683" or "[::1]:5683"; numeric only, port 0 to 65535.
  static Result<SocketAddress> Parse(std::string_view text);

  [[nodiscard]] std::string ToString() const;
  [[nodiscard]] const sockaddr* raw() const { return &any_; }
  [[nodiscard]] sockaddr* raw() { return &any_; }
  [[nodiscard]] socklen_t size() const {
    return any_.sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  }
  [[nodiscard]] sa_family_t family() const { return any_.sa_family; }
  [[nodiscard]] const sockaddr_in& v4() const { return v4_; }
  [[nodiscard]] const sockaddr_in6& v6() const { return v6_; }
  [[nodiscard]] std::uint16_t port() const;
  // The same, `ports` further; port 0, which takes a free one, stays.
  [[nodiscard]] SocketAddress FurtherBy(std::size_t ports) const;
  [[nodiscard]] bool IsWildcard() const;  // 0.0.0.0 or ::
  [[nodiscard]] bool IsMulticast() const;
  [[nodiscard]] bool IsLoopback() const;  // reached from this host only

 private:
  union {
    sockaddr any_;
    sockaddr_in v4_;
    sockaddr_in6 v6_;
  };
};

// Where a datagram came from and which of our addresses it was sent to: an answer goes back the
// same way (a host with many addresses must answer from the one that was asked).
struct AddressPair {
  SocketAddress remote;
  SocketAddress local;          // its port is not set
  std::uint32_t interface = 0;  // index of the network interface, 0 where it does not matter
  std::uint32_t socket = 0;     // which of the endpoint's sockets, or of its DTLS sessions
};

}  // namespace collector
