// Devices on one socket: device n is the loopback address 127.1.0.0 + n. The source is set per
// datagram (IP_PKTINFO), and what arrives tells which device it was meant for.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "client/load/devices.h"

namespace collector::client {

class LoopbackDevices : public Devices {
 public:
  // Sends to `target` from any of the devices, all with the same port.
  static Result<std::unique_ptr<LoopbackDevices>> Open(const sockaddr_in& target);
  ~LoopbackDevices() override;
  LoopbackDevices(const LoopbackDevices&) = delete;
  LoopbackDevices& operator=(const LoopbackDevices&) = delete;

  void Queue(std::uint32_t device, std::span<const std::uint8_t> bytes) override;
  void QueueEmpty(std::uint32_t device, EmptyMessage message) override;
  void Flush() override;
  std::span<const Arrival> Receive() override;
  void Wait(std::int64_t ns) override;
  [[nodiscard]] std::uint64_t send_errors() const override { return send_errors_; }
  [[nodiscard]] std::uint64_t drops() const override;

 private:
  static constexpr std::size_t kAnswerBytesMax = 1500;
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

  LoopbackDevices(int fd, const sockaddr_in& target);

  int fd_;
  sockaddr_in target_;
  Batch out_;
  Batch in_;
  std::array<in_addr*, kBatchMax> sources_{};  // within out_: where each datagram's source goes
  std::size_t queued_ = 0;
  std::size_t received_ = kBatchMax;  // whose headers Receive must set anew
  std::uint64_t send_errors_ = 0;
  std::array<EmptyMessage, kBatchMax> empty_{};
  std::array<std::array<std::uint8_t, kAnswerBytesMax>, kBatchMax> data_{};
  std::array<Arrival, kBatchMax> arrivals_{};
};

}  // namespace collector::client
