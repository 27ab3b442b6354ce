// Devices with a socket, and so a port, each: toward hosts that are not this one.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "client/load/devices.h"

namespace collector::client {

class PortDevices : public Devices {
 public:
  // `sources`: local addresses that the devices take turns at; empty: the route's.
  static Result<std::unique_ptr<PortDevices>> Open(const sockaddr_storage& target,
                                                   socklen_t target_bytes, std::uint32_t devices,
                                                   const std::vector<std::string>& sources);
  ~PortDevices() override;
  PortDevices(const PortDevices&) = delete;
  PortDevices& operator=(const PortDevices&) = delete;

  void Queue(std::uint32_t device, std::span<const std::uint8_t> bytes) override;
  void QueueEmpty(std::uint32_t device, EmptyMessage message) override { Queue(device, message); }
  void Flush() override {}
  std::span<const Arrival> Receive() override;
  void Wait(std::int64_t ns) override;
  [[nodiscard]] std::uint64_t send_errors() const override { return send_errors_; }
  [[nodiscard]] std::uint64_t drops() const override;

 private:
  static constexpr std::size_t kAnswerBytesMax = 1500;

  PortDevices() = default;
  Status Add(const sockaddr_storage& target, socklen_t target_bytes, const std::string& source);

  int epoll_ = -1;
  std::vector<int> sockets_;  // by device
  std::uint64_t send_errors_ = 0;
  std::array<std::array<std::uint8_t, kAnswerBytesMax>, kBatchMax> data_{};
  std::array<Arrival, kBatchMax> arrivals_{};
};

}  // namespace collector::client
