#include "client/load/devices.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "client/load/loopback_devices.h"
#include "client/load/port_devices.h"

namespace collector::client {
namespace {

struct Target {
  sockaddr_storage address{};
  socklen_t bytes = 0;
};

// Whether nothing takes what is sent there, told by the kernel or by that machine's.
bool Refuses(const addrinfo& address) {
  constexpr std::array<std::uint8_t, 4> kPing = {0x40, 0, 0, 1};  // RFC 7252 section 4.3
  constexpr int kPatienceMs = 200;
  const int fd = socket(address.ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return true;
  bool refused = connect(fd, address.ai_addr, address.ai_addrlen) != 0 ||
                 send(fd, kPing.data(), kPing.size(), 0) < 0;
  pollfd answered{fd, POLLIN, 0};
  std::uint8_t answer = 0;
  if (!refused && poll(&answered, 1, kPatienceMs) == 1) refused = recv(fd, &answer, 1, 0) < 0;
  close(fd);
  return refused;
}

// Of several addresses the first that does not refuse: localhost is ::1 first, where a collector
// that listens on 127.0.0.1 is not.
Result<Target> Resolve(const DevicesOptions& options) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  const int failed =
      getaddrinfo(options.host.c_str(), std::to_string(options.port).c_str(), &hints, &found);
  if (failed != 0) {
    return Error{ErrorCode::kUnavailable,
                 "cannot resolve '" + options.host + "': " + gai_strerror(failed)};
  }
  const addrinfo* chosen = found;
  while (chosen->ai_next != nullptr && Refuses(*chosen)) chosen = chosen->ai_next;
  Target target;
  std::memcpy(&target.address, chosen->ai_addr, chosen->ai_addrlen);
  target.bytes = chosen->ai_addrlen;
  freeaddrinfo(found);
  return target;
}

template <typename T>
Result<std::unique_ptr<Devices>> AsDevices(Result<std::unique_ptr<T>> opened) {
  if (!opened.ok()) return opened.error();
  return std::unique_ptr<Devices>(std::move(opened).value());
}

}  // namespace

Result<std::unique_ptr<Devices>> OpenDevices(const DevicesOptions& options) {
  const auto target = Resolve(options);
  if (!target.ok()) return target.error();
  const Target& to = target.value();
  if (to.address.ss_family == AF_INET && options.sources.empty()) {
    sockaddr_in v4{};
    std::memcpy(&v4, &to.address, sizeof(v4));
    if (ntohl(v4.sin_addr.s_addr) >> 24 == 127) return AsDevices(LoopbackDevices::Open(v4));
  }
  return AsDevices(PortDevices::Open(to.address, to.bytes, options.devices, options.sources));
}

}  // namespace collector::client
