#include "client/load/devices.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <cstring>

#include "client/load/loopback_devices.h"
#include "client/load/port_devices.h"

namespace collector::client {
namespace {

struct Target {
  sockaddr_storage address{};
  socklen_t bytes = 0;
};

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
  Target target;
  std::memcpy(&target.address, found->ai_addr, found->ai_addrlen);
  target.bytes = found->ai_addrlen;
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
