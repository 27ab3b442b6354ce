#include "tests/bench/device_socket.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "tests/bench/udp.h"

namespace bench {
namespace {

constexpr std::uint32_t kFirstDevice = 0x7F010000;  // 127.1.0.0

}  // namespace

DeviceSocket::DeviceSocket(const sockaddr_in& target) : fd_(-1), target_(target) {
  sockaddr_in any{};
  any.sin_family = AF_INET;
  fd_ = OpenUdp(any);
  const int on = 1;
  if (setsockopt(fd_, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) != 0) Die("IP_PKTINFO");
  // Cheaper sending: no fragment identifier, and (where allowed) no check that the source is ours.
  const int never_fragment = IP_PMTUDISC_DO;
  setsockopt(fd_, IPPROTO_IP, IP_MTU_DISCOVER, &never_fragment, sizeof(int));
  setsockopt(fd_, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof(int));
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

DeviceSocket::~DeviceSocket() { close(fd_); }

void DeviceSocket::Queue(std::uint32_t device, std::span<const std::uint8_t> bytes) {
  if (queued_ == kBatchMax) Flush();
  // sendmmsg only reads what it is given.
  out_.parts[queued_] = {const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
  sources_[queued_]->s_addr = htonl(kFirstDevice + device);
  ++queued_;
}

void DeviceSocket::QueueEmpty(std::uint32_t device, std::array<std::uint8_t, 4> message) {
  if (queued_ == kBatchMax) Flush();
  empty_[queued_] = message;
  Queue(device, empty_[queued_]);
}

void DeviceSocket::Flush() {
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

std::uint32_t DeviceSocket::DeviceOf(msghdr* header) {
  cmsghdr* const control = CMSG_FIRSTHDR(header);
  if (control == nullptr || control->cmsg_type != IP_PKTINFO) return 0;
  return ntohl(reinterpret_cast<in_pktinfo*>(CMSG_DATA(control))->ipi_addr.s_addr) - kFirstDevice;
}

std::span<const Arrival> DeviceSocket::Receive() {
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

void DeviceSocket::WaitReadable(int timeout_ms) const {
  pollfd waiting{.fd = fd_, .events = POLLIN, .revents = 0};
  poll(&waiting, 1, timeout_ms);
}

std::uint64_t DeviceSocket::drops() const { return KernelDrops(fd_); }

}  // namespace bench
