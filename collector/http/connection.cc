#include "collector/http/connection.h"

#include <netdb.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

namespace collector {
namespace {

// The numeric host and port of one end of a socket; port 0 if it is none.
std::pair<std::string, int> EndOf(int fd, int (*read_name)(int, sockaddr*, socklen_t*)) {
  sockaddr_storage address{};
  socklen_t bytes = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (read_name(fd, generic, &bytes) != 0 ||
      getnameinfo(generic, bytes, host.data(), host.size(), port.data(), port.size(),
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return {"", 0};
  }
  return {host.data(), std::atoi(port.data())};
}

}  // namespace

Connection::Connection(const std::string& remote_address, int remote_port, int local_port) {
  std::error_code error;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end; entry != end;
       entry.increment(error)) {
    const int fd = std::atoi(entry->path().filename().c_str());
    if (EndOf(fd, getpeername) != std::pair(remote_address, remote_port)) continue;
    if (EndOf(fd, getsockname).second == local_port) fd_ = fd;
  }
}

bool Connection::Closed() const {
  if (fd_ < 0) return false;
  char byte = 0;
  const ssize_t got = recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

}  // namespace collector
