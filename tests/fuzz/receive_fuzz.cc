// The whole receive path: datagrams in, datagrams out, over message layer, chain, events handler
// and a fake store. The input is a sequence of steps: some peer's datagram, time that passes,
// commits.
//
// Holds whatever comes in: nothing but well-formed CoAP goes out; an event is answered 2.xx only
// when it was committed; nobody who has not proven its address is sent more than a short answer, or
// three times what it sent; what is kept stays within its limits.
#include <map>

#include "tests/fakes/collector_core.h"

namespace collector {
namespace {

constexpr std::size_t kPendingMax = 8;
constexpr std::size_t kShortAnswerBytes = 136;  // RFC 9175 section 2.4
constexpr int kCopiesMax = 3;                   // of a separate answer, to such a peer

// Takes an input apart.
class Steps {
 public:
  explicit Steps(std::string_view input) : rest_(input) {}
  [[nodiscard]] bool done() const { return rest_.empty(); }
  std::uint8_t Byte() { return done() ? std::uint8_t{0} : static_cast<std::uint8_t>(Take(1)[0]); }
  std::string_view Take(std::size_t bytes) {
    const std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(taken.size());
    return taken;
  }

 private:
  std::string_view rest_;
};

class World {
 public:
  void Step(Steps* steps) {
    const std::uint8_t kind = steps->Byte();
    switch (kind % 4) {
      case 0:
      case 1:
        Receive(WirePeer(kind >> 4, 5'000), steps);
        break;
      case 2:
        now_ms_ += std::int64_t{1} << (kind >> 2) % 18;  // up to two minutes
        core_.TurnMs(now_ms_);
        break;
      default:
        if (core_.store.pending() == 0) break;
        if ((kind & 0x40) != 0) {
          core_.store.Fail((kind & 0x80) != 0 ? Outcome::kNotNow : Outcome::kRefused, "reason");
        } else {
          committed_ = true;
          core_.store.Commit(1 + kind / 128);
        }
    }
    CheckSent();
  }

 private:
  struct Peer {
    std::size_t allowed_bytes = 0;
    bool acknowledges = false;  // has sent what may have proven its address
  };

  void Receive(const AddressPair& from, Steps* steps) {
    const std::size_t high = steps->Byte();
    const std::string_view datagram = steps->Take((high << 8 | steps->Byte()) % 2'048);
    Peer& peer = peers_[from.remote.ToString()];
    peer.allowed_bytes += kCopiesMax * std::max(3 * datagram.size(), kShortAnswerBytes);
    if (!datagram.empty() && (datagram[0] & 0x20) != 0) peer.acknowledges = true;  // ACK, RST
    core_.Receive(from, datagram);
  }

  void CheckSent() {
    for (const CollectorCore::Sent& sent : core_.TakeSent()) {
      CHECK(sent.bytes.size() >= 4 && sent.bytes.size() <= 1'152);
      const WireAnswer answer = ReadWire(sent.bytes);
      CHECK((sent.bytes[0] & 0xc0) == 0x40 && answer.token.size() <= 8);
      CHECK(answer.code != 0x41 || committed_);
      Peer& peer = peers_[sent.to.remote.ToString()];
      if (peer.acknowledges) continue;
      CHECK(peer.allowed_bytes >= sent.bytes.size());
      peer.allowed_bytes -= sent.bytes.size();
    }
    CHECK(core_.store.pending() <= kPendingMax);
    CHECK(core_.layer.pending() <= kPendingMax + 1);
  }

  CollectorCore core_{MessageLayerOptions{.exchanges_pending_max = kPendingMax + 1,
                                          .exchanges_remembered_max = 16,
                                          .payload_bytes_max = 1'024},
                      EventsOptions{.pending_events_max = kPendingMax,
                                    .pending_bytes_max = 4'096,
                                    .payload_bytes_max = 2'048},
                      BodyAssemblyOptions{.body_bytes_max = 2'048, .bodies_max = 2}};
  std::int64_t now_ms_ = 1'000;
  std::map<std::string, Peer> peers_;
  bool committed_ = false;
};

}  // namespace
}  // namespace collector

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  collector::Steps steps({reinterpret_cast<const char*>(data), size});
  collector::World world;
  while (!steps.done()) world.Step(&steps);
  return 0;
}
