// Separate answers (RFC 7252 section 5.2.2): confirmable messages of ours, sent again until their
// peer acknowledges them (section 4.2). A state machine without sockets and clock.
#pragma once

#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "collector/base/clock.h"
#include "collector/base/metrics.h"
#include "collector/coap/datagram_sink.h"
#include "collector/coap/peers.h"

namespace collector {

// One thread. Sink and metrics outlive it. Slow path: an answer gets here only when its commit took
// more than a second.
class SeparateAnswers {
 public:
  // At most `waiting_max` wait for their acknowledgement.
  SeparateAnswers(std::size_t waiting_max, std::uint64_t seed, bool all_verified,
                  DatagramSink* sink, Metrics* metrics);

  [[nodiscard]] bool full() const { return waiting_.size() >= waiting_max_; }
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

  // Sends a confirmable message and keeps a copy until it is acknowledged. Not when full.
  void Send(const AddressPair& addresses, PeerKey peer, std::uint16_t message_id, Bytes message,
            std::int64_t now_ns);

  // The peer acknowledged this message, or wants nothing of it (RST).
  void Acknowledged(PeerKey peer, std::uint16_t message_id);
  void Reset(PeerKey peer, std::uint16_t message_id);

  // Sends again what is due; gives up what was sent often enough.
  void OnTime(std::int64_t now_ns);
  [[nodiscard]] std::int64_t due_ns() const {
    return by_due_.empty() ? kNever : by_due_.begin()->first;
  }

  [[nodiscard]] bool Verified(PeerKey peer) const { return all_verified_ || verified_.Has(peer); }

 private:
  using Key = std::uint64_t;  // of peer and message id

  struct Waiting {
    AddressPair addresses;
    PeerKey peer;
    std::string message;
    std::int64_t due_ns;
    std::int64_t timeout_ns;
    int retransmissions = 0;
  };

  static Key KeyOf(PeerKey peer, std::uint16_t message_id) {
    return peer ^ std::uint64_t{message_id} << 24;
  }
  bool Forget(Key key);

  std::size_t waiting_max_;
  bool all_verified_;
  std::minstd_rand random_;
  DatagramSink* sink_;
  Metrics* metrics_;
  std::unordered_map<Key, Waiting> waiting_;
  std::set<std::pair<std::int64_t, Key>> by_due_;
  VerifiedPeers verified_;
};

}  // namespace collector
