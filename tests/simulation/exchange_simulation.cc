// The collector against devices, a bad network and a bad store, without sockets, by seed.
//
// Goal: whatever is lost, doubled, delayed, reordered, refused or killed,
//   1. what a device deleted because of a 2.01 is stored;
//   2. no reading is stored twice;
//   3. a device with a clock gets everything stored in the end;
//   4. limits are never exceeded.
// A failing seed is printed; SEED=n repeats that one alone.
#include <cstdlib>
#include <memory>
#include <set>

#include "tests/fakes/collector_core.h"
#include "tests/simulation/device.h"
#include "tests/simulation/world.h"
#include "tests/unit/catch.h"

namespace collector {
namespace {

constexpr int kSeeds = 200;
constexpr std::size_t kPendingMax = 24;
constexpr std::int64_t kHorizonMs = 24 * 3'600'000;

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed)
      : seed_(seed), world_(seed, WeatherOf(seed)), crashes_(seed % 4 == 3) {
    Restart();
    const int devices = static_cast<int>(world_.Between(1, 60));
    for (int i = 0; i < devices; ++i) {
      Device::Options options{.number = static_cast<std::uint32_t>(i),
                              .clock = crashes_ || world_.Chance(0.7),
                              .reboots = world_.Chance(0.3)};
      if (options.reboots) {
        options.pause_ms_min = 60'000 + 20 * WeatherOf(seed).delay_ms_max;
        options.pause_ms_max = options.pause_ms_min + 3'000;
      }
      devices_.push_back(std::make_unique<Device>(
          options, &world_, [this](const AddressPair& from, const std::string& bytes) {
            world_.Carry([this, from, bytes] { Arrive(from, bytes); });
          }));
    }
    world_.After(1, [this] { WorkStore(); });
    if (crashes_) world_.After(world_.Between(1'000, 20'000), [this] { Crash(); });
  }

  void Run() {
    while (!AllDone() && world_.now_ms() < kHorizonMs && world_.Step()) {
    }
  }

  void CheckInvariants() {
    std::multiset<std::string> stored;
    for (const auto& [id, payload] : core_->store.stored) stored.insert(payload);
    for (const auto& device : devices_) {
      CHECK(device->done());
      for (const int reading : device->acknowledged) {
        CHECK(stored.count(device->PayloadOf(reading)) == 1);
      }
      for (int reading = 0; reading < device->options().readings; ++reading) {
        CHECK(stored.count(device->PayloadOf(reading)) <= 1);
        if (device->options().clock) CHECK(stored.count(device->PayloadOf(reading)) == 1);
      }
    }
  }

 private:
  static World::Weather WeatherOf(std::uint64_t seed) {
    constexpr double kLoss[] = {0, 0.05, 0.2, 0.5};
    constexpr double kDuplication[] = {0, 0.1, 0.5};
    constexpr std::int64_t kDelayMs[] = {5, 300, 4'000};
    return {kLoss[seed % 4], kDuplication[seed / 4 % 3], kDelayMs[seed / 12 % 3]};
  }

  void Restart() {
    core_ = std::make_unique<CollectorCore>(
        MessageLayerOptions{.exchanges_pending_max = kPendingMax,
                            .exchanges_remembered_max = 8'192,
                            .seed = seed_ + static_cast<std::uint64_t>(world_.now_ms())},
        EventsOptions{.pending_events_max = kPendingMax - 4});
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
    core_->Receive(from, bytes);
    CHECK(core_->layer.pending() <= kPendingMax);
    CHECK(core_->events.pending() <= kPendingMax - 4);
    Deliver();
  }

  void Deliver() {
    for (const CollectorCore::Sent& sent : core_->TakeSent()) {
      const std::uint32_t host = ntohl(sent.to.remote.v4().sin_addr.s_addr) & 0xff'ffff;
      Device* device = devices_.at(host - 2).get();
      world_.Carry([device, bytes = sent.bytes] { device->Receive(bytes); });
    }
  }

  // A commit now and then: of some, of all, of none; a lost reply, a refusal for now.
  void WorkStore() {
    core_->SetTimeMs(world_.now_ms());
    const auto pending = static_cast<std::int64_t>(core_->store.pending());
    if (world_.Chance(0.7))
      core_->store.Commit(static_cast<std::size_t>(world_.Between(0, pending)));
    if (core_->store.pending() > 0 && world_.Chance(0.05)) core_->store.StoreAndFail();
    if (core_->store.pending() > 0 && world_.Chance(0.05)) core_->store.Fail(Outcome::kNotNow);
    Deliver();
    const std::int64_t slow_ms = world_.Chance(0.02) ? 8'000 : 200;
    if (!AllDone()) world_.After(world_.Between(1, slow_ms), [this] { WorkStore(); });
  }

  [[nodiscard]] bool AllDone() const {
    return std::all_of(devices_.begin(), devices_.end(),
                       [](const auto& device) { return device->done(); });
  }

  std::uint64_t seed_;
  World world_;
  bool crashes_;
  std::unique_ptr<CollectorCore> core_;
  std::vector<std::unique_ptr<Device>> devices_;
};

}  // namespace

TEST_CASE("what was acknowledged is stored, once, whatever happens") {
  const char* only = std::getenv("SEED");
  const std::uint64_t first = only != nullptr ? std::strtoull(only, nullptr, 10) : 0;
  const std::uint64_t last = only != nullptr ? first : kSeeds - 1;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    INFO("repeat with SEED=" << seed << " simulation_tests");
    Simulation simulation(seed);
    simulation.Run();
    simulation.CheckInvariants();
  }
}

}  // namespace collector
