// Simulated time and a bad network: everything that happens, happens here, in one order that a seed
// decides.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <utility>

namespace collector {

class World {
 public:
  struct Weather {
    double loss = 0;  // of each datagram, each way
    double duplication = 0;
    std::int64_t delay_ms_max = 50;  // above one another's: this reorders, too
  };

  World(std::uint64_t seed, Weather weather) : random_(seed), weather_(weather) {}

  [[nodiscard]] std::int64_t now_ms() const { return now_ms_; }

  void After(std::int64_t delay_ms, std::function<void()> happens) {
    future_.emplace(now_ms_ + std::max<std::int64_t>(delay_ms, 0), std::move(happens));
  }

  // One datagram: it arrives not at all, once or twice, at any time up to the longest delay.
  void Carry(const std::function<void()>& arrives) {
    if (Chance(weather_.loss)) return;
    After(Between(1, weather_.delay_ms_max), arrives);
    if (Chance(weather_.duplication)) After(Between(1, 10 * weather_.delay_ms_max), arrives);
  }

  // False when nothing is left to happen.
  bool Step() {
    if (future_.empty()) return false;
    const auto next = future_.begin();
    now_ms_ = next->first;
    const std::function<void()> happens = std::move(next->second);
    future_.erase(next);
    happens();
    return true;
  }

  bool Chance(double probability) {
    return std::uniform_real_distribution<double>(0, 1)(random_) < probability;
  }
  std::int64_t Between(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random_);
  }

 private:
  std::mt19937_64 random_;
  Weather weather_;
  std::int64_t now_ms_ = 1'000;
  std::multimap<std::int64_t, std::function<void()>> future_;
};

}  // namespace collector
