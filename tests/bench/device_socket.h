// One UDP socket that speaks for many devices: device n is the loopback address 127.1.0.0 + n. The
// source is set per datagram (IP_PKTINFO), and what arrives tells which device it was meant for.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace bench {

// A datagram that arrived; its bytes are valid until the next Receive.
struct Arrival {
  std::uint32_t device = 0;
  std::span<const std::uint8_t> bytes;
};

class DeviceSocket {
 public:
  // Sends to `target` from any of the devices, all with the same port.
  explicit DeviceSocket(const sockaddr_in& target);
  ~DeviceSocket();
  DeviceSocket(const DeviceSocket&) = delete;
  DeviceSocket& operator=(const DeviceSocket&) = delete;

  // Queues a datagram; a full queue is sent. `bytes` must stay as they are until Flush.
  void Queue(std::uint32_t device, std::span<const std::uint8_t> bytes);
  // The same for an empty message (four bytes), which is copied.
  void QueueEmpty(std::uint32_t device, std::array<std::uint8_t, 4> message);
  void Flush();

  // Reads what has arrived, at most 64 datagrams, and does not wait.
  std::span<const Arrival> Receive();
  void WaitReadable(int timeout_ms) const;

  [[nodiscard]] std::uint64_t send_errors() const { return send_errors_; }
  [[nodiscard]] std::uint64_t drops() const;

 private:
  static constexpr std::size_t kBatchMax = 64;
  static constexpr std::size_t kAnswerBytesMax = 512;
  static constexpr std::size_t kControlBytes = CMSG_SPACE(sizeof(in_pktinfo));
  struct alignas(cmsghdr) Control {
    std::array<std::byte, kControlBytes> bytes;
  };
  // The kernel's view of a batch; each message keeps its own parts for good.
  struct Batch {
    std::array<mmsghdr, kBatchMax> messages{};
    std::array<iovec, kBatchMax> parts{};
    std::array<Control, kBatchMax> controls{};
  };

  static std::uint32_t DeviceOf(msghdr* header);

  int fd_;
  sockaddr_in target_;
  Batch out_;
  Batch in_;
  std::array<in_addr*, kBatchMax> sources_{};  // within out_: where each datagram's source goes
  std::size_t queued_ = 0;
  std::size_t received_ = kBatchMax;  // whose headers Receive must set anew
  std::uint64_t send_errors_ = 0;
  std::array<std::array<std::uint8_t, 4>, kBatchMax> empty_{};
  std::array<std::array<std::uint8_t, kAnswerBytesMax>, kBatchMax> data_{};
  std::array<Arrival, kBatchMax> arrivals_{};
};

}  // namespace bench
