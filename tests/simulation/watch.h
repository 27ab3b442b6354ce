// Looks at every datagram that passes between the devices and the collector, and knows what RFC
// 7252 sections 4.2 and 5.2.2 ask of the collector's side of it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "tests/fakes/wire.h"
#include "tests/unit/catch.h"

namespace collector {

class Watch {
 public:
  // A datagram reaches the collector.
  void Received(const AddressPair& from, const std::string& bytes, std::int64_t now_ms) {
    const WireAnswer message = ReadWire(bytes);
    const Key key = KeyOf(from, message.id);
    if (message.type == WireType::kCon) unacknowledged_.emplace(key, now_ms);
    if (message.type == WireType::kAck || message.type == WireType::kRst) {
      const auto found = separate_.find(key);
      if (found != separate_.end()) found->second.ended = true;
    }
  }

  // The collector sends one.
  void Sent(const AddressPair& to, const std::string& bytes) {
    const WireAnswer message = ReadWire(bytes);
    const Key key = KeyOf(to, message.id);
    if (message.type == WireType::kAck || message.type == WireType::kRst) {
      unacknowledged_.erase(key);
    }
    if (message.type != WireType::kCon) return;
    Separate& separate = separate_[key];
    REQUIRE_FALSE(separate.ended);  // also: a message id is not used twice for one peer
    REQUIRE((separate.bytes.empty() || separate.bytes == bytes));
    REQUIRE(++separate.transmissions <= kTransmissionsMax);
    separate.bytes = bytes;
  }

  // A turn is over.
  void CheckAcknowledged(std::int64_t now_ms) const {
    for (const auto& [key, since_ms] : unacknowledged_) REQUIRE(now_ms - since_ms < 1'000);
  }

  // Nothing will happen any more.
  void CheckSettled() const {
    REQUIRE(unacknowledged_.empty());
    for (const auto& [key, separate] : separate_) {
      REQUIRE((separate.ended || separate.transmissions >= kTransmissionsMin));
    }
  }

 private:
  static constexpr int kTransmissionsMin = 3;  // to a peer that has never acknowledged anything
  static constexpr int kTransmissionsMax = 5;

  using Key = std::pair<std::uint32_t, std::uint16_t>;  // peer and message id
  static Key KeyOf(const AddressPair& peer, std::uint16_t id) {
    return {peer.remote.v4().sin_addr.s_addr, id};
  }

  struct Separate {
    int transmissions = 0;
    bool ended = false;
    std::string bytes;
  };

  std::map<Key, std::int64_t> unacknowledged_;  // requests: since when
  std::map<Key, Separate> separate_;
};

}  // namespace collector
