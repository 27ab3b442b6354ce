#include "client/load/loopback_devices.h"

#include <linux/sock_diag.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <string>

namespace collector::client {
namespace {

constexpr std::uint32_t kFirstDevice = 0x7F010000;  // 127.1.0.0
constexpr int kReceiveBufferBytes = 64 << 20;       // a burst of many thousand answers

std::uint32_t DeviceOf(msghdr* header) {
  cmsghdr* const control = CMSG_FIRSTHDR(header);
  if (control == nullptr || control->cmsg_type != IP_PKTINFO) return 0;
  return ntohl(reinterpret_cast<in_pktinfo*>(CMSG_DATA(control))->ipi_addr.s_addr) - kFirstDevice;
}

}  // namespace

Result<std::unique_ptr<LoopbackDevices>> LoopbackDevices::Open(const sockaddr_in& target) {
  const auto failed = [] {
    return Error{ErrorCode::kIo, std::string("cannot open a UDP socket: ") + std::strerror(errno)};
  };
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return failed();
  std::unique_ptr<LoopbackDevices> devices(new LoopbackDevices(fd, target));
  sockaddr_in any{};
  any.sin_family = AF_INET;
  const int on = 1;
  if (bind(fd, reinterpret_cast<const sockaddr*>(&any), sizeof(any)) != 0 ||
      setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) != 0) {
    return failed();
  }
  // Past rmem_max only for root; otherwise the kernel gives what it allows.
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBufferBytes, sizeof(int)) != 0) {
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kReceiveBufferBytes, sizeof(int));
  }
  // Cheaper sending: no fragment identifier, and (where allowed) no check that the source is ours.
  const int never_fragment = IP_PMTUDISC_DO;
  setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &never_fragment, sizeof(int));
  setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof(int));
  return devices;
}

LoopbackDevices::LoopbackDevices(int fd, const sockaddr_in& target) : fd_(fd), target_(target) {
  for (std::size_t i = 0; i < kBatchMax; ++i) {
    msghdr& header = out_.messages[i].msg_hdr;
    header.msg_name = &target_;
    header.msg_namelen = sizeof(target_);
    header.msg_iov = &out_.parts[i];
    header.msg_iovlen = 1;
    header.msg_control = &out_.controls[i];
    header.msg_controllen = kControlBytes;
    cmsghdr* const control = CMSG_FIRSTHDR(&header);
    control->cmsg_level = IPPROTO_IP;
    control->cmsg_type = IP_PKTINFO;
    control->cmsg_len = CMSG_LEN(sizeof(in_pktinfo));
    sources_[i] = &reinterpret_cast<in_pktinfo*>(CMSG_DATA(control))->ipi_spec_dst;
    in_.parts[i] = {data_[i].data(), data_[i].size()};
    in_.messages[i].msg_hdr.msg_iov = &in_.parts[i];
    in_.messages[i].msg_hdr.msg_iovlen = 1;
    in_.messages[i].msg_hdr.msg_control = &in_.controls[i];
  }
}

LoopbackDevices::~LoopbackDevices() { close(fd_); }

void LoopbackDevices::Queue(std::uint32_t device, std::span<const std::uint8_t> bytes) {
  if (queued_ == kBatchMax) Flush();
  // sendmmsg only reads what it is given.
  out_.parts[queued_] = {const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
  sources_[queued_]->s_addr = htonl(kFirstDevice + device);
  ++queued_;
}

void LoopbackDevices::QueueEmpty(std::uint32_t device, EmptyMessage message) {
  if (queued_ == kBatchMax) Flush();
  empty_[queued_] = message;
  Queue(device, empty_[queued_]);
}

void LoopbackDevices::Flush() {
  std::size_t sent = 0;
  while (sent < queued_) {
    const int result =
        sendmmsg(fd_, &out_.messages[sent], static_cast<unsigned>(queued_ - sent), 0);
    if (result > 0) {
      sent += static_cast<std::size_t>(result);
    } else if (errno != EINTR) {
      ++send_errors_;  // the first one left is the culprit; it counts as lost on the way
      ++sent;
    }
  }
  queued_ = 0;
}

std::span<const Arrival> LoopbackDevices::Receive() {
  for (std::size_t i = 0; i < received_; ++i) {
    in_.messages[i].msg_hdr.msg_controllen = kControlBytes;
  }
  const int result = recvmmsg(fd_, in_.messages.data(), kBatchMax, MSG_DONTWAIT, nullptr);
  received_ = result > 0 ? static_cast<std::size_t>(result) : 0;
  for (std::size_t i = 0; i < received_; ++i) {
    arrivals_[i] = {.device = DeviceOf(&in_.messages[i].msg_hdr),
                    .bytes = {data_[i].data(), in_.messages[i].msg_len}};
  }
  return {arrivals_.data(), received_};
}

void LoopbackDevices::Wait(std::int64_t ns) {
  pollfd waiting{.fd = fd_, .events = POLLIN, .revents = 0};
  const timespec timeout{.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
  ppoll(&waiting, 1, &timeout, nullptr);
}

std::uint64_t LoopbackDevices::drops() const {
  std::array<std::uint32_t, SK_MEMINFO_VARS> info{};
  socklen_t size = sizeof(info);
  if (getsockopt(fd_, SOL_SOCKET, SO_MEMINFO, info.data(), &size) != 0) return 0;
  return info[SK_MEMINFO_DROPS];
}

}  // namespace collector::client
