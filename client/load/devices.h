// The network side of the simulated devices: each has an address or a port of its own, so that a
// collector sees as many peers.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "collector/base/result.h"

namespace collector::client {

// A datagram that arrived; its bytes are valid until the next Receive.
struct Arrival {
  std::uint32_t device = 0;
  std::span<const std::uint8_t> bytes{};
};

using EmptyMessage = std::array<std::uint8_t, 4>;

class Devices {
 public:
  static constexpr std::size_t kBatchMax = 64;

  virtual ~Devices() = default;

  // Sends a datagram, at the latest with Flush; `bytes` must stay as they are until then.
  virtual void Queue(std::uint32_t device, std::span<const std::uint8_t> bytes) = 0;
  // The same for an empty message, which is copied.
  virtual void QueueEmpty(std::uint32_t device, EmptyMessage message) = 0;
  virtual void Flush() = 0;

  // Reads what has arrived, at most kBatchMax datagrams, and does not wait.
  virtual std::span<const Arrival> Receive() = 0;
  // Waits for an arrival or a signal, at most so long.
  virtual void Wait(std::int64_t ns) = 0;

  [[nodiscard]] virtual std::uint64_t send_errors() const = 0;
  // Datagrams the kernel dropped because a receive buffer was full.
  [[nodiscard]] virtual std::uint64_t drops() const = 0;
};

struct DevicesOptions {
  std::string host;  // IPv4, IPv6, or a name
  std::uint16_t port = 5683;
  std::uint32_t devices = 1;
  std::vector<std::string> sources = {};  // local addresses; the devices take turns
};

// Toward an IPv4 loopback address device n is 127.1.0.0 + n, all on one socket. Else, and where
// sources are named, each device has a socket, so a port, of its own.
// Errors: the host has no address, sockets or ports do not suffice, a source is not ours.
Result<std::unique_ptr<Devices>> OpenDevices(const DevicesOptions& options);

}  // namespace collector::client
