// When a device that is turned away should come back: the Max-Age of a 5.03. Told what happens to
// the events that were taken; no clock of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>

namespace collector {

class RetryAdvice {
 public:
  static constexpr std::uint32_t kSecondsMax = 60;

  explicit RetryAdvice(std::uint64_t seed);

  // Once a turn: the time, and how many events are pending.
  void Tick(std::int64_t now_ns, std::size_t pending);

  // A pending event was completed; for good, or not now.
  void Completed(bool for_good);

  // Nothing will be taken for a while: as if the store failed from now on.
  void Failing();

  // For one request that is turned away now. As long as it takes until those before it are worked
  // off, pending ones and those that were turned away and have not come back yet, at the rate seen
  // while there was work; on average, because each is given another number from 1 to twice that. So
  // they come back spread over a time in which all of them can be taken. While the store fails, the
  // time grows with how long it has been failing.
  std::uint32_t Seconds();

 private:
  [[nodiscard]] double MeanSeconds() const;

  std::minstd_rand random_;
  std::int64_t now_ns_ = 0;
  std::size_t pending_ = 0;
  double turned_away_ = 0;        // and not back yet, if they do as they were told
  double rate_ = 0;               // events a second; 0: not known yet
  std::int64_t busy_ns_ = 0;      // of the measurement that is under way: time with events pending
  std::uint64_t completed_ = 0;   // and events completed
  std::int64_t failing_ns_ = -1;  // since when; -1: it does not
};

}  // namespace collector
