#include "client/load/port_devices.h"

#include <linux/sock_diag.h>
#include <netdb.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

namespace collector::client {
namespace {

constexpr std::uint32_t kFilesOfOthers = 64;

Error Failed(const std::string& what) {
  return {ErrorCode::kIo, what + ": " + std::strerror(errno)};
}

// As many open files as this process may have.
Status AllowSockets(std::uint32_t count) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return Failed("cannot read the limit of open files");
  const rlim_t wanted = rlim_t{count} + kFilesOfOthers;
  if (limit.rlim_cur >= wanted) return Ok{};
  if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < wanted) {
    return Error{ErrorCode::kIo, std::to_string(count) +
                                     " devices need as many sockets, and this process may have " +
                                     std::to_string(limit.rlim_max) +
                                     " open files: fewer --devices, or a higher 'ulimit -n'"};
  }
  limit.rlim_cur = wanted;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return Failed("cannot raise the limit of open files");
  return Ok{};
}

Status BindTo(int fd, const std::string& source) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST;
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(source.c_str(), nullptr, &hints, &found) != 0) {
    return Error{ErrorCode::kInvalid, "'" + source + "' is no IP address"};
  }
  const int result = bind(fd, found->ai_addr, found->ai_addrlen);
  freeaddrinfo(found);
  if (result == 0) return Ok{};
  if (errno == EADDRINUSE) {
    return Error{ErrorCode::kIo, "no port of " + source +
                                     " is free any more: name more addresses "
                                     "of this machine with --source"};
  }
  return Failed("cannot send from " + source);
}

}  // namespace

Result<std::unique_ptr<PortDevices>> PortDevices::Open(const sockaddr_storage& target,
                                                       socklen_t target_bytes,
                                                       std::uint32_t devices,
                                                       const std::vector<std::string>& sources) {
  if (Status allowed = AllowSockets(devices); !allowed.ok()) return allowed.error();
  std::unique_ptr<PortDevices> opened(new PortDevices());
  opened->epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (opened->epoll_ < 0) return Failed("cannot watch sockets");
  const std::string any = target.ss_family == AF_INET ? "0.0.0.0" : "::";
  for (std::uint32_t device = 0; device < devices; ++device) {
    const std::string& source = sources.empty() ? any : sources[device % sources.size()];
    if (Status added = opened->Add(target, target_bytes, source); !added.ok()) return added.error();
  }
  return opened;
}

Status PortDevices::Add(const sockaddr_storage& target, socklen_t target_bytes,
                        const std::string& source) {
  const int fd = socket(target.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return Failed("cannot open a UDP socket");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u32 = static_cast<std::uint32_t>(sockets_.size());
  sockets_.push_back(fd);
  if (Status bound = BindTo(fd, source); !bound.ok()) return bound;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&target), target_bytes) != 0) {
    return Failed("cannot send there from " + source);
  }
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) return Failed("cannot watch a socket");
  return Ok{};
}

PortDevices::~PortDevices() {
  for (const int fd : sockets_) close(fd);
  if (epoll_ >= 0) close(epoll_);
}

void PortDevices::Queue(std::uint32_t device, std::span<const std::uint8_t> bytes) {
  if (send(sockets_[device], bytes.data(), bytes.size(), 0) < 0) ++send_errors_;
}

std::span<const Arrival> PortDevices::Receive() {
  std::array<epoll_event, kBatchMax> ready{};
  const int count = epoll_wait(epoll_, ready.data(), static_cast<int>(kBatchMax), 0);
  std::size_t received = 0;
  for (int i = 0; i < count; ++i) {
    const std::uint32_t device = ready[static_cast<std::size_t>(i)].data.u32;
    const ssize_t size = recv(sockets_[device], data_[received].data(), kAnswerBytesMax, 0);
    if (size < 0) continue;  // "port unreachable": the retransmission will tell
    arrivals_[received] = {.device = device,
                           .bytes = {data_[received].data(), static_cast<std::size_t>(size)}};
    ++received;
  }
  return {arrivals_.data(), received};
}

void PortDevices::Wait(std::int64_t ns) {
  pollfd waiting{.fd = epoll_, .events = POLLIN, .revents = 0};
  const timespec timeout{.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
  ppoll(&waiting, 1, &timeout, nullptr);
}

std::uint64_t PortDevices::drops() const {
  std::uint64_t drops = 0;
  for (const int fd : sockets_) {
    std::array<std::uint32_t, SK_MEMINFO_VARS> info{};
    socklen_t size = sizeof(info);
    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info.data(), &size) == 0) {
      drops += info[SK_MEMINFO_DROPS];
    }
  }
  return drops;
}

}  // namespace collector::client
