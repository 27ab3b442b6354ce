// A device that follows the client's side of RFC 7252 section 4.2: confirmable requests,
// retransmitted with back-off; its copy of a reading is deleted when it gets a 2.01.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "event/timestamp.h"
#include "tests/fakes/wire.h"
#include "tests/simulation/world.h"

namespace collector {

class Device {
 public:
  struct Options {
    std::uint32_t number = 0;
    int readings = 10;
    bool clock = true;  // its events carry timestamps, so it may send one again later
    // Starts its message ids and tokens over with every reading. It must then wait until the
    // network has forgotten the last one's answers, or it would take one for the next one's.
    bool reboots = false;
    std::int64_t pause_ms_min = 1;
    std::int64_t pause_ms_max = 3'000;
  };
  using Transmit = std::function<void(const AddressPair& from, const std::string& bytes)>;

  Device(const Options& options, World* world, Transmit transmit)
      : options_(options),
        world_(world),
        transmit_(std::move(transmit)),
        address_(WirePeer(options.number + 2, 40'000)) {
    world_->After(world_->Between(0, options_.pause_ms_max), [this] { SendReading(); });
  }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  [[nodiscard]] bool done() const { return reading_ == options_.readings; }
  [[nodiscard]] const AddressPair& address() const { return address_; }
  [[nodiscard]] const Options& options() const { return options_; }
  // The payload of a reading as a store keeps it: no two are alike.
  [[nodiscard]] std::string PayloadOf(int reading) const {
    return R"({"type":"t","value":)" + std::to_string(ValueOf(reading)) + "}";
  }
  // Which of its readings it has deleted, because they were answered 2.01.
  std::vector<int> acknowledged;

  void Receive(const std::string& bytes) {
    const WireAnswer answer = ReadWire(bytes);
    if (answer.token != token_ || !waiting_) return;
    if (answer.type == WireType::kAck && answer.id != message_id_) return;
    waiting_ = false;
    ++attempt_;
    if (answer.code == 0x41) {
      acknowledged.push_back(reading_);
      return Next();
    }
    if (answer.code == 0xa3 && options_.clock) {  // 5.03: later, in a new exchange
      world_->After(options_.pause_ms_min + world_->Between(5'000, 15'000),
                    [this] { SendReading(); });
    } else {
      Next();
    }
  }

 private:
  static constexpr int kRetransmitMax = 4;
  static constexpr std::int64_t kAckTimeoutMs = 2'000;

  [[nodiscard]] std::uint64_t ValueOf(int reading) const {
    return std::uint64_t{options_.number} * 1'000'000 + static_cast<std::uint64_t>(reading);
  }

  void Next() {
    ++reading_;
    if (!done()) {
      world_->After(world_->Between(options_.pause_ms_min, options_.pause_ms_max),
                    [this] { SendReading(); });
    }
  }

  void SendReading() {
    if (options_.reboots) {
      message_id_ = 1;
      token_ = "a";
    } else {
      ++message_id_;
      token_ = std::to_string(message_id_);
    }
    const std::string time =
        options_.clock ? FormatTimestamp((1'795'238'000'000 + reading_) * 1'000'000) : "";
    request_ =
        WirePost(WireType::kCon, message_id_, token_, WireEvent("o", ValueOf(reading_), time));
    waiting_ = true;
    transmissions_ = 0;
    TransmitOnce(++attempt_, kAckTimeoutMs + world_->Between(0, kAckTimeoutMs / 2));
  }

  void TransmitOnce(std::uint64_t attempt, std::int64_t timeout_ms) {
    if (attempt != attempt_ || !waiting_) return;
    if (transmissions_++ > kRetransmitMax) {  // nobody answered
      waiting_ = false;
      ++attempt_;
      if (!options_.clock) return Next();
      return world_->After(options_.pause_ms_min + world_->Between(0, 5'000),
                           [this] { SendReading(); });
    }
    transmit_(address_, request_);
    world_->After(timeout_ms,
                  [this, attempt, timeout_ms] { TransmitOnce(attempt, 2 * timeout_ms); });
  }

  Options options_;
  World* world_;
  Transmit transmit_;
  AddressPair address_;
  int reading_ = 0;
  std::uint16_t message_id_ = 0;
  std::string token_;
  std::string request_;
  bool waiting_ = false;
  int transmissions_ = 0;
  std::uint64_t attempt_ = 0;  // tells this exchange's timers from those of the ones before
};

}  // namespace collector
