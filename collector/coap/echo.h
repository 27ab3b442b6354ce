// Echo (RFC 9175 section 2): whether a peer gets what is sent to its address. No clock, no socket.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "collector/coap/datagram_sink.h"
#include "collector/coap/peers.h"

namespace collector {

// What a peer must bring back. Nothing is kept of who was asked: the value is a keyed hash of the
// peer and the time. Six bytes, so that the answer to the shortest request is three times as long.
class EchoChallenge {
 public:
  using Value = std::array<std::uint8_t, 6>;

  EchoChallenge();  // with a secret of its own

  [[nodiscard]] Value For(PeerKey peer, std::int64_t now_ns) const;
  // Whether it was this peer's within the last 2 to 4 minutes.
  [[nodiscard]] bool Holds(PeerKey peer, Bytes value, std::int64_t now_ns) const;

 private:
  [[nodiscard]] Value Of(PeerKey peer, std::int64_t period) const;

  std::array<std::uint8_t, 32> secret_{};
};

// Peers that have proved their address within the last hour, a million of them in 8 MiB. When a
// row of the table is full the one goes that proved it first, and is asked again.
class ProvenPeers {
 public:
  void Add(PeerKey peer, std::int64_t now_ns);
  [[nodiscard]] bool Has(PeerKey peer, std::int64_t now_ns) const;

 private:
  static constexpr std::size_t kRows = 131'072;
  static constexpr std::size_t kPeersPerRow = 8;  // a row is a cache line

  struct Peer {
    std::uint32_t tag = 0;
    std::uint32_t second = 0;  // 0: none
  };
  struct alignas(64) Row {
    std::array<Peer, kPeersPerRow> peers;
  };

  static std::size_t RowOf(PeerKey peer) { return (peer >> 1) % kRows; }
  static std::uint32_t TagOf(PeerKey peer) { return static_cast<std::uint32_t>(peer >> 32); }

  std::vector<Row> rows_ = std::vector<Row>(kRows);
};

}  // namespace collector
