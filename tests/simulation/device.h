// A device that follows the client's side of RFC 7252 sections 4.2 to 5.2 and RFC 7959: requests
// confirmable or not, whole or in blocks, retransmitted with back-off; answers with their
// acknowledgement or separately. Its copy of a reading is deleted when it gets a 2.01.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "event/timestamp.h"
#include "tests/fakes/wire.h"
#include "tests/simulation/world.h"

namespace collector {

class Device {
 public:
  // How its message ids go. Tokens are never used twice, but for those that reboot.
  enum class Ids {
    kCounted,
    kTwo,      // takes turns with two of them, so that only the token tells its exchanges apart
    kReboots,  // starts message ids and tokens over with every reading; it must then wait until the
               // network has forgotten the last one's answers, or it would take one for its own
  };
  struct Options {
    std::uint32_t number = 0;
    int readings = 10;
    bool clock = true;  // its events carry timestamps, so it may send one again later
    bool confirmable = true;
    int block_exponent = -1;   // sends its events in blocks of this size; -1: whole
    bool tagged = true;        // with a Request-Tag for each body
    bool acknowledges = true;  // separate answers; some devices are broken
    Ids ids = Ids::kCounted;
    std::int64_t pause_ms_min = 1;
    std::int64_t pause_ms_max = 3'000;
  };
  using Transmit = std::function<void(const AddressPair& from, const std::string& bytes)>;

  // `done` is counted up when the last reading is dealt with.
  Device(const Options& options, World* world, Transmit transmit, std::size_t* done)
      : options_(options),
        world_(world),
        transmit_(std::move(transmit)),
        done_(done),
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
    const bool mine = waiting_ && answer.token == token_;
    switch (answer.type) {
      case WireType::kRst:
        return;
      case WireType::kAck:
        if (!waiting_ || answer.id != message_id_) return;
        if (answer.code == 0) return WaitForSeparate();
        break;
      case WireType::kCon:
        if (!mine && taken_.count(answer.id) == 0) return SendEmpty(WireType::kRst, answer.id);
        taken_.insert(answer.id);
        if (options_.acknowledges) SendEmpty(WireType::kAck, answer.id);
        break;
      case WireType::kNon:
        break;
    }
    if (mine) Take(answer);
  }

 private:
  static constexpr int kRetransmitMax = 4;
  static constexpr std::int64_t kAckTimeoutMs = 2'000;
  static constexpr std::int64_t kSeparateTimeoutMs = 150'000;
  static constexpr std::int64_t kNonTimeoutMs = 20'000;

  [[nodiscard]] std::uint64_t ValueOf(int reading) const {
    return std::uint64_t{options_.number} * 1'000'000 + static_cast<std::uint64_t>(reading);
  }

  void Take(const WireAnswer& answer) {
    waiting_ = false;
    ++attempt_;
    switch (answer.code) {
      case 0x41:
        acknowledged.push_back(reading_);
        return Next();
      case 0x5f:
        ++block_;
        return SendBlock();
      case 0x88:  // 4.08: begin again
        return Later(options_.pause_ms_min + world_->Between(0, 5'000));
      case 0xa3:  // 5.03: later, in a new exchange
        if (!options_.clock) return Next();
        return Later(options_.pause_ms_min + world_->Between(5'000, 15'000));
      default:
        return Next();
    }
  }

  void Next() {
    ++reading_;
    if (done()) {
      ++*done_;
    } else {
      Later(world_->Between(options_.pause_ms_min, options_.pause_ms_max));
    }
  }

  void Later(std::int64_t delay_ms) {
    world_->After(delay_ms, [this] { SendReading(); });
  }

  void SendReading() {
    const std::string time =
        options_.clock ? FormatTimestamp((1'795'238'000'000 + reading_) * 1'000'000) : "";
    event_ = WireEvent("o", ValueOf(reading_), time);
    block_ = 0;
    ++body_;
    if (options_.ids == Ids::kReboots) exchange_ = 0;
    SendBlock();
  }

  // The whole event, where it is not sent in blocks.
  void SendBlock() {
    ++exchange_;
    message_id_ = static_cast<std::uint16_t>(options_.ids == Ids::kTwo ? exchange_ % 2 : exchange_);
    token_ = std::to_string(exchange_ * 7);
    WireRequest request{.code = 0x02, .options = {{12, "\x32"}}, .payload = event_};
    if (options_.block_exponent >= 0) {
      request = WirePostBlock(0, event_, block_, static_cast<unsigned>(options_.block_exponent));
    }
    if (options_.block_exponent >= 0 && options_.tagged) {
      request.options.emplace(292, WireUint(body_));
    }
    request.type = options_.confirmable ? WireType::kCon : WireType::kNon;
    request.id = message_id_;
    request.token = token_;
    request_ = request.Bytes();
    waiting_ = true;
    transmissions_ = 0;
    TransmitOnce(++attempt_, kAckTimeoutMs + world_->Between(0, kAckTimeoutMs / 2));
  }

  void TransmitOnce(std::uint64_t attempt, std::int64_t timeout_ms) {
    if (attempt != attempt_ || !waiting_) return;
    if (transmissions_++ > (options_.confirmable ? kRetransmitMax : 0)) return GiveUp();
    transmit_(address_, request_);
    world_->After(options_.confirmable ? timeout_ms : kNonTimeoutMs,
                  [this, attempt, timeout_ms] { TransmitOnce(attempt, 2 * timeout_ms); });
  }

  // Its request has arrived; nothing is sent again, whether the answer comes or not.
  void WaitForSeparate() {
    world_->After(kSeparateTimeoutMs, [this, attempt = ++attempt_] {
      if (attempt == attempt_ && waiting_) GiveUp();
    });
  }

  // Nobody answered.
  void GiveUp() {
    waiting_ = false;
    ++attempt_;
    if (!options_.clock) return Next();
    Later(options_.pause_ms_min + world_->Between(0, 5'000));
  }

  void SendEmpty(WireType type, std::uint16_t message_id) {
    transmit_(address_, WireHeader(type, 0, message_id, ""));
  }

  Options options_;
  World* world_;
  Transmit transmit_;
  std::size_t* done_;
  AddressPair address_;
  int reading_ = 0;
  std::string event_;
  std::uint32_t block_ = 0;
  std::uint32_t body_ = 0;
  std::uint32_t exchange_ = 0;
  std::uint16_t message_id_ = 0;
  std::string token_;
  std::string request_;
  bool waiting_ = false;
  int transmissions_ = 0;
  std::uint64_t attempt_ = 0;      // tells this exchange's timers from those of the ones before
  std::set<std::uint16_t> taken_;  // message ids of separate answers, to acknowledge them again
};

}  // namespace collector
