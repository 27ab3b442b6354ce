// The collector against devices, a bad network and a bad store, without sockets, by seed.
//
// Goal: whatever is lost, doubled, delayed, reordered, refused or killed,
//   1. what a device deleted because of a 2.01 is stored;
//   2. no reading is stored twice;
//   3. a device with a clock gets everything stored in the end;
//   4. limits are never exceeded, and in the end nothing of them is used up;
//   5. a confirmable request is acknowledged within a second, whatever the store does;
//   6. a separate answer is sent until its own peer has acknowledged it or it was sent often
//   enough.
// A failing seed is printed; SEED=n repeats that one alone.
#include <map>
#include <memory>
#include <set>

#include "tests/fakes/collector_core.h"
#include "tests/simulation/device.h"
#include "tests/simulation/seeds.h"
#include "tests/simulation/watch.h"
#include "tests/simulation/world.h"
#include "tests/unit/catch.h"

namespace collector {
namespace {

constexpr std::size_t kEventsAside = 4;  // exchanges beyond the events' limit
constexpr std::size_t kBodiesMax = 8;
constexpr std::int64_t kHorizonMs = 24 * 3'600'000;
constexpr std::uint32_t kProbe = 0xff'0000;  // a peer that is no device

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed)
      : seed_(seed),
        world_(seed, WeatherOf(seed)),
        crashes_(seed % 4 == 3),
        crowd_(seed % 50 == 17),
        pending_max_(crowd_ ? 1'000 : 24),
        store_slow_ms_(seed % 5 == 2 ? 6'000 : 200) {
    Restart();
    const int devices = static_cast<int>(crowd_ ? 3'000 : world_.Between(1, 60));
    for (int i = 0; i < devices; ++i) AddDevice(static_cast<std::uint32_t>(i));
    world_.After(1, [this] { WorkStore(); });
    if (crashes_) world_.After(world_.Between(1'000, 20'000), [this] { Crash(); });
  }

  void Run() {
    while (!AllDone() && world_.now_ms() < kHorizonMs && world_.Step()) {
    }
  }

  void CheckStored() {
    std::multiset<std::string> stored;
    for (const auto& [id, payload] : core_->store.stored) stored.insert(payload);
    for (const auto& device : devices_) {
      REQUIRE(device->done());
      for (const int reading : device->acknowledged) {
        REQUIRE(stored.count(device->PayloadOf(reading)) == 1);
      }
      for (int reading = 0; reading < device->options().readings; ++reading) {
        const std::size_t times = stored.count(device->PayloadOf(reading));
        REQUIRE(times <= 1);
        if (device->options().clock) REQUIRE(times == 1);
      }
    }
  }

  // What is still on its way arrives, and everything times out: then all of it is free again.
  void CheckNothingLeaked() {
    while (world_.Step()) {
    }
    core_->store.CommitAll();
    Turn();
    while (world_.Step()) {
    }
    core_->SetTimeMs(world_.now_ms() + 120'000);
    REQUIRE(core_->layer.pending() == 0);
    REQUIRE(core_->layer.separate_waiting() == 0);
    REQUIRE(core_->layer.due_ns() == kNever);
    REQUIRE(core_->events.pending() == 0);
    REQUIRE(core_->metrics.events.pending.Get() == 0);
    REQUIRE(core_->metrics.events.pending_bytes.Get() == 0);
    REQUIRE(core_->bodies.assembling(core_->now_ms * kNsPerMs) == 0);
    watch_.CheckSettled();
    const std::size_t events_max = pending_max_ - kEventsAside;
    for (std::size_t i = 0; i < events_max; ++i) {
      core_->Receive(WirePeer(kProbe, static_cast<std::uint16_t>(i + 1)),
                     WirePost(WireType::kNon, 1, "p", WireEvent("probe", i)));
    }
    REQUIRE(core_->TakeSent().empty());
    core_->store.CommitAll();
    const auto answers = core_->TakeSent();
    REQUIRE(answers.size() == events_max);
    for (const auto& answer : answers) REQUIRE(ReadWire(answer.bytes).code == 0x41);
  }

 private:
  static World::Weather WeatherOf(std::uint64_t seed) {
    constexpr double kLoss[] = {0, 0.05, 0.2, 0.5};
    constexpr double kDuplication[] = {0, 0.1, 0.5};
    constexpr std::int64_t kDelayMs[] = {5, 300, 4'000};
    return {kLoss[seed % 4], kDuplication[seed / 4 % 3], kDelayMs[seed / 12 % 3]};
  }

  void AddDevice(std::uint32_t number) {
    Device::Options options{.number = number,
                            .readings = crowd_ ? 2 : 10,
                            .clock = crashes_ || world_.Chance(0.7),
                            .confirmable = world_.Chance(0.8),
                            // A collector that was killed has forgotten which blocks it saw:
                            // only tags keep late ones out of the next body then.
                            .tagged = crashes_ || world_.Chance(0.5),
                            .acknowledges = world_.Chance(0.9)};
    if (world_.Chance(0.2)) {
      options.block_exponent = static_cast<int>(world_.Between(1, 3));
      // Blocks that nobody sends again never all get through a network that loses half of them.
      if (WeatherOf(seed_).loss > 0.1) options.confirmable = true;
    }
    if (world_.Chance(0.2)) options.ids = Device::Ids::kTwo;
    if (world_.Chance(0.2)) {
      options.ids = Device::Ids::kReboots;
      // The store's slowest commit, a separate answer's retransmissions, the network's delay.
      options.pause_ms_min = 200'000 + 20 * WeatherOf(seed_).delay_ms_max;
      options.pause_ms_max = options.pause_ms_min + 3'000;
    }
    devices_.push_back(std::make_unique<Device>(
        options, &world_,
        [this](const AddressPair& from, const std::string& bytes) {
          world_.Carry([this, from, bytes] { Arrive(from, bytes); });
        },
        &devices_done_));
  }

  void Restart() {
    core_ = std::make_unique<CollectorCore>(
        MessageLayerOptions{.exchanges_pending_max = pending_max_,
                            .exchanges_remembered_max = crowd_ ? 65'536u : 8'192u,
                            .seed = seed_ + static_cast<std::uint64_t>(world_.now_ms())},
        EventsOptions{.pending_events_max = pending_max_ - kEventsAside},
        BodyAssemblyOptions{.bodies_max = kBodiesMax});
    watch_ = Watch();
  }

  // kill -9 and a new process over the same disk: what was pending is gone, and nobody is told.
  void Crash() {
    auto stored = core_->store.stored;
    if (world_.Chance(0.5) && core_->store.pending() > 0) {
      core_->store.StoreAndFail();  // committed, killed before the answer
      stored = core_->store.stored;
    }
    Restart();
    core_->store.stored = std::move(stored);
    if (!AllDone()) world_.After(world_.Between(1'000, 60'000), [this] { Crash(); });
  }

  void Arrive(const AddressPair& from, const std::string& bytes) {
    core_->SetTimeMs(world_.now_ms());
    watch_.Received(from, bytes, world_.now_ms());
    core_->Receive(from, bytes);
    REQUIRE(core_->layer.pending() <= pending_max_);
    REQUIRE(core_->layer.separate_waiting() <= pending_max_);
    REQUIRE(core_->events.pending() <= pending_max_ - kEventsAside);
    REQUIRE(core_->metrics.bodies.assembling.Get() <= kBodiesMax);
    Turn();
  }

  // The end of a turn: what is due, what is to be sent, when to come again.
  void Turn() {
    core_->TurnMs(world_.now_ms());
    for (const CollectorCore::Sent& sent : core_->TakeSent()) {
      watch_.Sent(sent.to, sent.bytes);
      const std::uint32_t host = ntohl(sent.to.remote.v4().sin_addr.s_addr) & 0xff'ffff;
      Device* device = devices_.at(host - 2).get();
      world_.Carry([device, bytes = sent.bytes] { device->Receive(bytes); });
      const WireAnswer answer = ReadWire(sent.bytes);
      if (answer.type == WireType::kCon && world_.Chance(0.1)) Confuse(answer.id);
    }
    watch_.CheckAcknowledged(world_.now_ms());
    const std::int64_t due_ns = core_->layer.due_ns();
    if (due_ns == kNever) return;
    const std::int64_t due_ms = (due_ns + kNsPerMs - 1) / kNsPerMs;
    if (wake_ms_ > world_.now_ms() && wake_ms_ <= due_ms) return;
    wake_ms_ = due_ms;
    world_.After(due_ms - world_.now_ms(), [this] { Turn(); });
  }

  // A device acknowledges the message id of another one's answer, because it had one alike.
  void Confuse(std::uint16_t message_id) {
    const auto any =
        static_cast<std::size_t>(world_.Between(0, static_cast<std::int64_t>(devices_.size()) - 1));
    world_.Carry([this, from = devices_[any]->address(), message_id] {
      Arrive(from, WireHeader(WireType::kAck, 0, message_id, ""));
    });
  }

  // A commit now and then: of some, of all, of none; a lost reply, a refusal for now.
  void WorkStore() {
    core_->SetTimeMs(world_.now_ms());
    const auto pending = static_cast<std::int64_t>(core_->store.pending());
    if (world_.Chance(0.7))
      core_->store.Commit(static_cast<std::size_t>(world_.Between(0, pending)));
    if (core_->store.pending() > 0 && world_.Chance(0.05)) core_->store.StoreAndFail();
    if (core_->store.pending() > 0 && world_.Chance(0.05)) core_->store.Fail(Outcome::kNotNow);
    Turn();
    const std::int64_t slow_ms = world_.Chance(0.02) ? 8'000 : store_slow_ms_;
    if (!AllDone()) world_.After(world_.Between(1, slow_ms), [this] { WorkStore(); });
  }

  [[nodiscard]] bool AllDone() const { return devices_done_ == devices_.size(); }

  std::uint64_t seed_;
  World world_;
  bool crashes_;
  bool crowd_;
  std::size_t pending_max_;
  std::int64_t store_slow_ms_;
  std::unique_ptr<CollectorCore> core_;
  std::vector<std::unique_ptr<Device>> devices_;
  std::size_t devices_done_ = 0;
  std::int64_t wake_ms_ = 0;
  Watch watch_;
};

}  // namespace

TEST_CASE("what was acknowledged is stored, once, whatever happens") {
  const Seeds seeds = SeedsToRun();
  for (std::uint64_t seed = seeds.first; seed < seeds.end; ++seed) {
    INFO("repeat with SEED=" << seed << " simulation_tests");
    Simulation simulation(seed);
    simulation.Run();
    simulation.CheckStored();
    simulation.CheckNothingLeaked();
  }
}

}  // namespace collector
