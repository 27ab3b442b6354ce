// One UDP socket that receives and sends many datagrams a system call. Knows nothing of CoAP.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "collector/coap/bind.h"

namespace collector {

struct ReceivedDatagram {
  AddressPair addresses;
  std::span<const std::uint8_t> bytes;  // lives until the next Receive
  bool cut = false;                     // was longer than datagram_bytes_max
};

// Not copyable; one thread.
class UdpSocket {
 public:
  // `index` is what its AddressPairs carry; of a longer datagram than `datagram_bytes_max` the rest
  // is cut off.
  UdpSocket(BoundSocket bound, std::uint32_t index, std::size_t datagram_bytes_max);
  ~UdpSocket();
  UdpSocket(const UdpSocket&) = delete;
  UdpSocket& operator=(const UdpSocket&) = delete;

  [[nodiscard]] int fd() const;
  [[nodiscard]] const SocketAddress& address() const;  // with the port that was bound
  [[nodiscard]] int receive_buffer_bytes() const;      // what the system granted
  [[nodiscard]] std::uint32_t dropped() const;         // by the system, buffer full

  // The datagrams that are there, at most kBatch; fewer means there are no more.
  static constexpr std::size_t kBatch = 64;
  std::span<const ReceivedDatagram> Receive();

  // Queues a copy; sends all queued when the queue is full, and then returns true.
  bool Send(const AddressPair& addresses, std::span<const std::uint8_t> bytes);

  // Sends what is queued; returns how many the system would not take. Those are lost, as any
  // datagram may be: the device asks again.
  std::size_t Flush();

 private:
  struct Buffers;

  BoundSocket bound_;
  std::uint32_t index_;
  std::size_t unsent_ = 0;
  std::unique_ptr<Buffers> buffers_;
};

}  // namespace collector
