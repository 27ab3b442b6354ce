#include "collector/handlers/retry_advice.h"

#include <algorithm>
#include <vector>

#include "collector/base/clock.h"
#include "tests/unit/catch.h"

namespace collector {
namespace {

// A store that works off `rate` events a second with `pending` behind, for some seconds.
class World {
 public:
  void Run(double seconds, int rate, std::size_t pending) {
    for (int turn = 0; turn < static_cast<int>(seconds * 100); ++turn) {
      now_ms_ += 10;
      advice.Tick(now_ms_ * kNsPerMs, pending);
      for (int i = 0; i < rate / 100; ++i) advice.Completed(true);
    }
  }

  std::vector<std::uint32_t> TurnAway(int count) {
    std::vector<std::uint32_t> told;
    for (int i = 0; i < count; ++i) told.push_back(advice.Seconds());
    return told;
  }

  RetryAdvice advice{7};

 private:
  std::int64_t now_ms_ = 1'000;
};

double Mean(const std::vector<std::uint32_t>& told) {
  double sum = 0;
  for (const std::uint32_t seconds : told) sum += seconds;
  return sum / static_cast<double>(told.size());
}

std::uint32_t Longest(const std::vector<std::uint32_t>& told) {
  return *std::max_element(told.begin(), told.end());
}

}  // namespace

TEST_CASE("before anything is known devices wait some seconds, each another time") {
  const auto told = World().TurnAway(1'000);
  CHECK(*std::min_element(told.begin(), told.end()) == 1);
  CHECK(Longest(told) == 10);
}

TEST_CASE("a short queue means a short wait, a long one a longer") {
  World fast;
  fast.Run(5, 10'000, 1'000);
  CHECK(Longest(fast.TurnAway(100)) == 2);
  World slow;
  slow.Run(5, 100, 1'000);  // ten seconds' worth
  const double mean = Mean(slow.TurnAway(100));
  CHECK(mean > 8);
  CHECK(mean < 14);
}

TEST_CASE("who is turned away comes back when those before it can have been taken") {
  World world;
  world.Run(5, 1'000, 100);
  std::vector<int> back(RetryAdvice::kSecondsMax + 1);
  for (const std::uint32_t seconds : world.TurnAway(10'000)) ++back[seconds];
  // 10,000 at 1,000 a second: over about 20 s, and never many more than can be taken.
  CHECK(*std::max_element(back.begin(), back.end()) < 2'500);
  CHECK(back[15] > 0);
}

TEST_CASE("who was turned away long ago is back, and no reason to wait") {
  World world;
  world.Run(5, 1'000, 100);
  world.TurnAway(10'000);
  CHECK(Mean(world.TurnAway(100)) > 8);
  world.Run(11, 1'000, 100);
  CHECK(Longest(world.TurnAway(50)) == 2);
}

TEST_CASE("a store that stands still lengthens the wait, to a minute at most") {
  World world;
  world.Run(5, 1'000, 1'000);
  CHECK(Longest(world.TurnAway(100)) <= 3);
  world.Run(10, 0, 1'000);
  CHECK(Longest(world.TurnAway(1'000)) == 60);
}

TEST_CASE("while the store fails the wait grows, and ends when it does not") {
  World world;
  world.Run(5, 10'000, 10);
  world.advice.Completed(false);
  CHECK(Longest(world.TurnAway(1'000)) == 4);
  world.Run(20, 0, 0);
  world.advice.Completed(false);
  CHECK(Longest(world.TurnAway(1'000)) == 24);
  world.Run(100, 0, 0);
  CHECK(Longest(world.TurnAway(1'000)) == 60);
  world.advice.Completed(true);
  CHECK(Longest(world.TurnAway(100)) == 2);
}

}  // namespace collector
