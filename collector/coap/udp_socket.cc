#include "collector/coap/udp_socket.h"

#include <linux/sock_diag.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace collector {
namespace {

constexpr std::size_t kSendBytes = 1232;  // an answer (message.h), and what DTLS adds; flights
constexpr std::size_t kControlBytes = 128;

SocketAddress FromIp(const in_addr& ip) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr = ip;
  return SocketAddress(address);
}

SocketAddress FromIp(const in6_addr& ip) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = ip;
  return SocketAddress(address);
}

template <typename T>
T ReadControl(const cmsghdr* control) {
  T value;
  std::memcpy(&value, CMSG_DATA(control), sizeof(value));
  return value;
}

void ReadControls(msghdr* header, AddressPair* addresses) {
  for (cmsghdr* control = CMSG_FIRSTHDR(header); control != nullptr;
       control = CMSG_NXTHDR(header, control)) {
    if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
      const auto info = ReadControl<in_pktinfo>(control);
      addresses->local = FromIp(info.ipi_addr);
    } else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
      const auto info = ReadControl<in6_pktinfo>(control);
      addresses->local = FromIp(info.ipi6_addr);
      addresses->interface = info.ipi6_ifindex;
    }
  }
}

template <typename T>
void WriteControl(int level, int type, const T& value, msghdr* header) {
  header->msg_controllen = CMSG_SPACE(sizeof(T));
  cmsghdr* control = CMSG_FIRSTHDR(header);
  control->cmsg_level = level;
  control->cmsg_type = type;
  control->cmsg_len = CMSG_LEN(sizeof(T));
  std::memcpy(CMSG_DATA(control), &value, sizeof(T));
}

void WriteSource(const AddressPair& addresses, msghdr* header) {
  if (addresses.local.family() == AF_INET) {
    in_pktinfo info{};
    info.ipi_spec_dst = addresses.local.v4().sin_addr;
    WriteControl(IPPROTO_IP, IP_PKTINFO, info, header);
  } else {
    in6_pktinfo info{};
    info.ipi6_addr = addresses.local.v6().sin6_addr;
    // A link-local address means one only together with its interface.
    if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr)) info.ipi6_ifindex = addresses.interface;
    WriteControl(IPPROTO_IPV6, IPV6_PKTINFO, info, header);
  }
}

}  // namespace

// What recvmmsg and sendmmsg work on, laid out once.
struct UdpSocket::Buffers {
  explicit Buffers(std::size_t datagram_bytes_max)
      : receive_stride(datagram_bytes_max), receive_bytes(kBatch * datagram_bytes_max) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      receive_iov[i] = {&receive_bytes[i * receive_stride], receive_stride};
      receive[i].msg_hdr.msg_iov = &receive_iov[i];
      receive[i].msg_hdr.msg_iovlen = 1;
      receive[i].msg_hdr.msg_name = datagrams[i].addresses.remote.raw();
      receive[i].msg_hdr.msg_control = receive_control[i].data();
      send_iov[i].iov_base = send_bytes[i].data();
      send[i].msg_hdr.msg_iov = &send_iov[i];
      send[i].msg_hdr.msg_iovlen = 1;
      send[i].msg_hdr.msg_name = send_to[i].raw();
    }
  }

  using Control = std::array<std::uint8_t, kControlBytes>;
  std::size_t receive_stride;
  std::vector<std::uint8_t> receive_bytes;
  std::array<iovec, kBatch> receive_iov{};
  std::array<mmsghdr, kBatch> receive{};
  alignas(cmsghdr) std::array<Control, kBatch> receive_control{};
  std::array<ReceivedDatagram, kBatch> datagrams;

  std::size_t queued = 0;
  std::array<std::array<std::uint8_t, kSendBytes>, kBatch> send_bytes;
  std::array<iovec, kBatch> send_iov{};
  std::array<mmsghdr, kBatch> send{};
  std::array<SocketAddress, kBatch> send_to;
  alignas(cmsghdr) std::array<Control, kBatch> send_control{};
};

UdpSocket::UdpSocket(BoundSocket bound, std::uint32_t index, std::size_t datagram_bytes_max)
    : bound_(std::move(bound)),
      index_(index),
      buffers_(std::make_unique<Buffers>(datagram_bytes_max)) {}

UdpSocket::~UdpSocket() = default;

int UdpSocket::fd() const { return bound_.fd.get(); }
const SocketAddress& UdpSocket::address() const { return bound_.address; }
int UdpSocket::receive_buffer_bytes() const { return bound_.receive_buffer_bytes; }

std::uint32_t UdpSocket::dropped() const {
  std::array<std::uint32_t, SK_MEMINFO_VARS> info{};
  socklen_t length = sizeof(info);
  getsockopt(fd(), SOL_SOCKET, SO_MEMINFO, info.data(), &length);
  return info[SK_MEMINFO_DROPS];
}

std::span<const ReceivedDatagram> UdpSocket::Receive() {
  Buffers& b = *buffers_;
  for (std::size_t i = 0; i < kBatch; ++i) {
    b.receive[i].msg_hdr.msg_namelen = sizeof(SocketAddress);
    b.receive[i].msg_hdr.msg_controllen = kControlBytes;
  }
  const int received = recvmmsg(fd(), b.receive.data(), kBatch, 0, nullptr);
  if (received <= 0) return {};  // nothing there, or an ICMP error of an earlier answer
  const auto count = static_cast<std::size_t>(received);
  for (std::size_t i = 0; i < count; ++i) {
    ReceivedDatagram& datagram = b.datagrams[i];
    datagram.addresses.local = bound_.address;
    datagram.addresses.socket = index_;
    if (bound_.address.IsWildcard()) ReadControls(&b.receive[i].msg_hdr, &datagram.addresses);
    datagram.bytes = {&b.receive_bytes[i * b.receive_stride], b.receive[i].msg_len};
    datagram.cut = (b.receive[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
  }
  return {b.datagrams.data(), count};
}

bool UdpSocket::Send(const AddressPair& addresses, std::span<const std::uint8_t> bytes) {
  Buffers& b = *buffers_;
  CHECK(bytes.size() <= kSendBytes);
  const std::size_t i = b.queued++;
  std::memcpy(b.send_bytes[i].data(), bytes.data(), bytes.size());
  b.send_iov[i].iov_len = bytes.size();
  b.send_to[i] = addresses.remote;
  msghdr& header = b.send[i].msg_hdr;
  header.msg_namelen = addresses.remote.size();
  header.msg_control = nullptr;
  header.msg_controllen = 0;
  if (bound_.address.IsWildcard()) {
    header.msg_control = b.send_control[i].data();
    WriteSource(addresses, &header);
  }
  if (b.queued < kBatch) return false;
  unsent_ += Flush();
  return true;
}

std::size_t UdpSocket::Flush() {
  Buffers& b = *buffers_;
  std::size_t sent = 0;
  std::size_t failed = 0;
  while (sent < b.queued) {
    const int taken =
        sendmmsg(fd(), &b.send[sent], static_cast<unsigned int>(b.queued - sent), MSG_DONTWAIT);
    if (taken > 0) {
      sent += static_cast<std::size_t>(taken);
    } else if (errno != EINTR) {
      ++sent;  // this one is refused, or an ICMP error was told: go on with the next
      ++failed;
    }
  }
  b.queued = 0;
  return failed + std::exchange(unsent_, 0);
}

}  // namespace collector
