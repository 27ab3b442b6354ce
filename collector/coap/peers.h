// What is kept of peers: tables of fixed size in which two peers may share a place, so that no
// number of them makes these grow. No clock, no socket.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "collector/base/socket_address.h"

namespace collector {

// A peer's address and port, and by which socket or DTLS session it is heard (none knows of
// another's messages), as a hash under a secret seed. Not 0:
// its last bit is set, so a table takes the others.
using PeerKey = std::uint64_t;
PeerKey PeerKeyOf(const AddressPair& addresses, std::uint64_t seed);

// Message ids of ours. A peer must not see one again within EXCHANGE_LIFETIME (RFC 7252 section
// 4.4): one counter for all peers would come round in less than a second at 100,000 messages/s.
// Here each of 4,096 places counts for its own peers and comes round in 247 s only at a million/s.
// Each peer's ids begin elsewhere, so that nobody can tell another's.
class MessageIds {
 public:
  std::uint16_t Next(PeerKey peer) {
    return static_cast<std::uint16_t>(next_[(peer >> 1) % kPlaces]++ + (peer >> 48));
  }

 private:
  static constexpr std::size_t kPlaces = 4'096;
  std::array<std::uint16_t, kPlaces> next_{};
};

// Peers that have acknowledged a message of ours: they are where they say they are. One that is
// forgotten, because a newer one took its place, is as one that was never seen.
class VerifiedPeers {
 public:
  void Add(PeerKey peer) { peers_[(peer >> 1) % kPlaces] = peer; }
  [[nodiscard]] bool Has(PeerKey peer) const { return peers_[(peer >> 1) % kPlaces] == peer; }

 private:
  static constexpr std::size_t kPlaces = 16'384;
  std::vector<PeerKey> peers_ = std::vector<PeerKey>(kPlaces);
};

}  // namespace collector
