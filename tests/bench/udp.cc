#include "tests/bench/udp.h"

#include <arpa/inet.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace bench {
namespace {

constexpr int kReceiveBufferBytes = 64 << 20;

std::int64_t ReadClock(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

void Die(const std::string& what) {
  std::fprintf(stderr, "%s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

sockaddr_in ParseAddress(const std::string& text) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  const std::size_t colon = text.rfind(':');
  if (colon != std::string::npos) {
    const std::string host = text.substr(0, colon);
    const char* const end = text.data() + text.size();
    std::uint16_t port = 0;
    const auto [last, error] = std::from_chars(text.data() + colon + 1, end, port);
    address.sin_port = htons(port);
    if (error == std::errc() && last == end &&
        inet_pton(AF_INET, host.c_str(), &address.sin_addr) == 1) {
      return address;
    }
  }
  std::fprintf(stderr, "not an IPv4 address and port: %s\n", text.c_str());
  std::exit(2);
}

std::string ToString(const sockaddr_in& address) {
  std::array<char, INET_ADDRSTRLEN> host{};
  inet_ntop(AF_INET, &address.sin_addr, host.data(), host.size());
  return std::string(host.data()) + ":" + std::to_string(ntohs(address.sin_port));
}

int OpenUdp(const sockaddr_in& local) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) Die("socket");
  // Past rmem_max only for root; otherwise the kernel gives what it allows.
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBufferBytes, sizeof(int)) != 0) {
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kReceiveBufferBytes, sizeof(int));
  }
  if (bind(fd, reinterpret_cast<const sockaddr*>(&local), sizeof(local)) != 0) {
    Die("bind " + ToString(local));
  }
  return fd;
}

sockaddr_in LocalAddress(int fd) {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) Die("getsockname");
  return address;
}

std::uint64_t KernelDrops(int fd) {
  std::array<std::uint32_t, SK_MEMINFO_VARS> info{};
  socklen_t size = sizeof(info);
  if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info.data(), &size) != 0) return 0;
  return info[SK_MEMINFO_DROPS];
}

std::int64_t MonotonicNs() { return ReadClock(CLOCK_MONOTONIC); }
std::int64_t WallNs() { return ReadClock(CLOCK_REALTIME); }
std::int64_t CpuNs() { return ReadClock(CLOCK_PROCESS_CPUTIME_ID); }

}  // namespace bench
