#include "client/load/fleet.h"

#include <deque>
#include <utility>
#include <vector>

#include "client/load/verify.h"
#include "tests/unit/catch.h"

namespace collector::client {
namespace {

using Bytes = std::vector<std::uint8_t>;

// Keeps what devices send; what they are to receive the test makes.
class FakeDevices : public Devices {
 public:
  struct Sent {
    std::uint32_t device;
    Bytes bytes;
  };

  void Queue(std::uint32_t device, std::span<const std::uint8_t> bytes) override {
    sent.push_back({device, {bytes.begin(), bytes.end()}});
  }
  void QueueEmpty(std::uint32_t device, EmptyMessage message) override { Queue(device, message); }
  void Flush() override {}
  std::span<const Arrival> Receive() override { return {}; }
  void Wait(std::int64_t) override {}
  [[nodiscard]] std::uint64_t send_errors() const override { return 0; }
  [[nodiscard]] std::uint64_t drops() const override { return 0; }

  std::deque<Sent> sent;
};

struct World {
  explicit World(FleetOptions options, Instant now = {1'000 * kNsPerSecond, 0})
      : fleet(WithRecord(options), Maker(), &devices), now_ns(now.monotonic_ns) {
    fleet.Begin({now_ns, 1'800'000'000 * kNsPerSecond});
    fleet.Turn(now_ns);
  }

  static FleetOptions WithRecord(FleetOptions options) {
    options.keep_record = true;
    return options;
  }
  static RequestMaker Maker() { return RequestMaker::Create({.values = Readings()}).value(); }

  void Advance(std::int64_t ns) {
    for (const std::int64_t to_ns = now_ns + ns; now_ns < to_ns;) {
      now_ns = std::min(to_ns, now_ns + 10 * kNsPerMs);
      fleet.Turn(now_ns);
    }
  }

  // The answer of `type` (2: an ACK) and `code` to a request; bytes of options may follow.
  void Answer(const FakeDevices::Sent& to, std::uint8_t type, std::uint8_t code,
              const Bytes& more = {}) {
    Bytes bytes = to.bytes;
    bytes.resize(code == 0 ? 4 : 8);
    bytes[0] = static_cast<std::uint8_t>(0x40 | type << 4 | (code == 0 ? 0 : 4));
    bytes[1] = code;
    bytes.insert(bytes.end(), more.begin(), more.end());
    const Arrival arrival{.device = to.device, .bytes = bytes};
    fleet.Take({&arrival, 1}, now_ns);
  }

  FakeDevices::Sent Next() {
    REQUIRE_FALSE(devices.sent.empty());
    FakeDevices::Sent first = devices.sent.front();
    devices.sent.pop_front();
    return first;
  }

  [[nodiscard]] std::uint64_t Count(Outcome outcome) const {
    return fleet.report().outcomes[static_cast<std::size_t>(outcome)];
  }

  FakeDevices devices;
  Fleet fleet;
  std::int64_t now_ns;
};

FleetOptions One() { return {.devices = 1, .window = 1, .events = 1, .seed = 7}; }

TEST_CASE("a device retransmits with doubled pauses and gives up after the last") {
  World world(One());
  const Bytes first = world.Next().bytes;
  std::vector<std::int64_t> at_ms;
  const std::int64_t began_ns = world.now_ns;
  while (!world.fleet.done()) {
    world.Advance(100 * kNsPerMs);
    if (world.devices.sent.empty()) continue;
    CHECK(world.Next().bytes == first);
    at_ms.push_back((world.now_ns - began_ns) / kNsPerMs);
  }
  REQUIRE(at_ms.size() == 4);  // MAX_RETRANSMIT
  CHECK(at_ms[0] >= 2'000);
  CHECK(at_ms[0] <= 3'200);
  for (std::size_t i = 1; i < 4; ++i) {
    const double factor =
        static_cast<double>(at_ms[i] + at_ms[0]) / static_cast<double>(at_ms[i - 1] + at_ms[0]);
    CHECK(factor > 1.9);
    CHECK(factor < 2.1);
  }
  CHECK(world.Count(Outcome::kUnanswered) == 1);
  CHECK(world.fleet.report().retransmitted == 4);
}

TEST_CASE("an answer ends an event once, and how it ended is in the record") {
  World world({.devices = 3, .window = 3, .events = 3, .seed = 7});
  const auto a = world.Next();
  const auto b = world.Next();
  const auto c = world.Next();
  world.Advance(10 * kNsPerMs);
  world.Answer(a, 2, 0x41);
  world.Answer(a, 2, 0x41);  // once more: the network doubled it
  world.Answer(b, 2, 0x80);
  world.Answer(c, 2, 0xA3);
  world.fleet.Turn(world.now_ns);
  CHECK(world.fleet.done());
  CHECK(world.fleet.report().unexpected == 1);
  CHECK(world.fleet.record()[0].outcome == Outcome::kStored);
  CHECK(world.fleet.record()[1].outcome == Outcome::kRefused);
  CHECK(world.fleet.record()[2].outcome == Outcome::kUnavailable);
  CHECK(world.fleet.report().codes[0x41] == 1);
}

TEST_CASE("an answer to another device, exchange or token ends nothing") {
  World world(One());
  auto request = world.Next();
  request.device = 1;
  world.Answer(request, 2, 0x41);
  request.device = 0;
  ++request.bytes[3];  // message id of a piggybacked answer
  world.Answer(request, 2, 0x41);
  --request.bytes[3];
  ++request.bytes[kTokenAt + 2];
  world.Answer(request, 2, 0x41);
  CHECK(world.fleet.report().unexpected == 3);
  CHECK(world.fleet.in_flight() == 1);
}

TEST_CASE("after an empty ACK nothing is retransmitted, and the separate answer is acknowledged") {
  World world(One());
  const auto request = world.Next();
  world.Answer(request, 2, 0);
  world.Advance(20 * kNsPerSecond);
  CHECK(world.devices.sent.empty());
  auto separate = request;
  separate.bytes[2] = 0xAB;  // a message id of the collector's
  separate.bytes[3] = 0xCD;
  world.Answer(separate, 0, 0x41);
  CHECK(world.Next().bytes == Bytes{0x60, 0, 0xAB, 0xCD});
  CHECK(world.Count(Outcome::kStored) == 1);
  world.Answer(separate, 0, 0x41);  // our ACK was lost
  CHECK(world.Next().bytes == Bytes{0x60, 0, 0xAB, 0xCD});
  CHECK(world.Count(Outcome::kStored) == 1);
}

TEST_CASE("a device with a full memory sends the same event again when Max-Age is over") {
  FleetOptions options = One();
  options.until_stored = true;
  World world(options);
  const auto request = world.Next();
  world.Answer(request, 2, 0xA3, {0xD1, 1, 5});  // 5.03, Max-Age 5
  world.Advance(4'900 * kNsPerMs);
  CHECK(world.devices.sent.empty());
  world.Advance(200 * kNsPerMs);
  const auto again = world.Next();
  CHECK(Bytes(again.bytes.begin() + 8, again.bytes.end()) ==
        Bytes(request.bytes.begin() + 8, request.bytes.end()));
  CHECK(again.bytes[3] != request.bytes[3]);
  world.Answer(request, 2, 0x41);  // of the exchange that is over
  CHECK(world.fleet.in_flight() == 1);
  world.Advance(200 * kNsPerSecond);  // given up, and begun anew more than once
  CHECK(world.fleet.report().exchanges_again >= 2);
  world.Answer(world.devices.sent.back(), 2, 0x41);
  CHECK(world.Count(Outcome::kStored) == 1);
  CHECK(world.Count(Outcome::kUnavailable) == 0);
}

TEST_CASE("an open loop counts latency from when an event was due") {
  World world({.devices = 2, .window = 1, .rate = 10, .measure_ns = kNsPerSecond, .seed = 7});
  const auto first = world.Next();  // due at 0
  world.Advance(500 * kNsPerMs);    // the one place is taken; four more are due meanwhile
  CHECK(world.devices.sent.empty());
  world.Answer(first, 2, 0x41);
  world.fleet.Turn(world.now_ns);
  world.Answer(world.Next(), 2, 0x41);  // due at 100 ms, sent and answered at 500
  CHECK(world.fleet.report().latency.max() == 500'000'000);
  CHECK(world.fleet.report().latency.Quantile(0.1) >= 400'000'000);
  world.Advance(10 * kNsPerSecond);
  world.fleet.Stop(world.now_ns, 0);
  world.fleet.Finish();
  CHECK(world.fleet.report().sent == 3);
  CHECK(world.fleet.report().overdue == 7);
}

TEST_CASE("an open loop that was held up still sends what was due, late") {
  World world({.devices = 2, .window = 20, .rate = 10, .measure_ns = kNsPerSecond, .seed = 7});
  world.now_ns += 1'200 * kNsPerMs;
  world.fleet.Turn(world.now_ns);
  CHECK(world.fleet.report().sent == 10);
  CHECK_FALSE(world.fleet.sending());
  world.Answer(world.devices.sent[9], 2, 0x41);  // due at 900 ms
  CHECK(world.fleet.report().latency.max() == 300'000'000);
}

TEST_CASE("no two events of a device have one time, however fast it sends") {
  World world({.devices = 2, .window = 1'000, .events = 1'000, .clock_skew_ms = 1'500, .seed = 7});
  std::vector<std::pair<std::uint32_t, std::int64_t>> times;
  for (const SentEvent& event : world.fleet.record())
    times.emplace_back(event.device, event.time_us);
  std::sort(times.begin(), times.end());
  CHECK(std::adjacent_find(times.begin(), times.end()) == times.end());
  CHECK(times.size() == 1'000);
}

TEST_CASE("loss takes its share of datagrams") {
  World world({.devices = 10, .window = 10'000, .events = 10'000, .loss = 0.2, .seed = 7});
  CHECK(world.devices.sent.size() > 7'800);
  CHECK(world.devices.sent.size() < 8'200);
  CHECK(world.devices.sent.size() + world.fleet.report().lost == 10'000);
}

}  // namespace
}  // namespace collector::client
