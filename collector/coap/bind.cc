#include "collector/coap/bind.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace collector {
namespace {

Error SystemError(const std::string& what) {
  return {ErrorCode::kIo, what + ": " + std::strerror(errno)};
}

bool SetOption(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

// The system's default holds some 250 datagrams; a burst beyond is lost before it is read.
int RaiseReceiveBuffer(int fd, int wanted_bytes) {
  if (!SetOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, wanted_bytes)) {
    SetOption(fd, SOL_SOCKET, SO_RCVBUF, wanted_bytes);
  }
  int granted = 0;
  socklen_t length = sizeof(granted);
  getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &granted, &length);
  return granted / 2;  // the kernel doubles it for its own bookkeeping
}

// Answers are small and must not be fragmented (RFC 7252 section 4.6); and a datagram that says so
// needs no identification, which the kernel draws for each destination.
void ForbidFragments(int fd, const SocketAddress& address) {
  if (address.family() == AF_INET) SetOption(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
}

// Only a socket bound to all addresses has to be told, and to tell, which one is meant.
bool WantPacketInfo(int fd, const SocketAddress& address) {
  if (address.family() == AF_INET6 && !SetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) return false;
  if (!address.IsWildcard()) return true;
  if (address.family() == AF_INET) return SetOption(fd, IPPROTO_IP, IP_PKTINFO, 1);
  return SetOption(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
}

Result<BoundSocket> Bind(const SocketAddress& address, const BindOptions& options) {
  const std::string name = options.name + " " + address.ToString();
  BoundSocket bound{
      .fd = UniqueFd(socket(address.family(), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
      .address = address};
  const int fd = bound.fd.get();
  if (fd < 0) return SystemError(name);
  bound.receive_buffer_bytes = RaiseReceiveBuffer(fd, options.receive_buffer_bytes);
  ForbidFragments(fd, address);
  if (!WantPacketInfo(fd, address)) return SystemError(name + ": setsockopt");
  if (options.sets > 1 && !SetOption(fd, SOL_SOCKET, SO_REUSEPORT, 1)) {
    return SystemError(name + ": SO_REUSEPORT");
  }
  if (bind(fd, address.raw(), address.size()) != 0) return SystemError(name);
  socklen_t length = address.size();
  if (getsockname(fd, bound.address.raw(), &length) != 0) return SystemError(name);
  return bound;
}

}  // namespace

Result<std::vector<SocketSet>> BindSockets(const BindOptions& options) {
  std::vector<SocketSet> sets(options.sets);
  for (const SocketAddress& address : options.listen) {
    SocketAddress wanted = address;
    for (SocketSet& set : sets) {
      errno = 0;
      auto bound = Bind(wanted, options);
      if (!bound.ok()) {
        const bool no_ipv6 = errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL;
        const bool others = options.listen.size() > 1;
        if (no_ipv6 && others && address.family() == AF_INET6 && address.IsWildcard()) break;
        return bound.error();
      }
      wanted = bound.value().address;  // the others share the port that the first one took
      set.push_back(std::move(bound).value());
    }
  }
  return sets;
}

}  // namespace collector
