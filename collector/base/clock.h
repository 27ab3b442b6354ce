// Time as the collector's parts are given it: read once a turn by whoever loops, an argument to
// everything else, so that tests and the simulation decide what time it is.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>

#include "collector/base/nanoseconds.h"

namespace collector {

inline constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

struct Instant {
  std::int64_t monotonic_ns = 0;  // for intervals; never steps
  std::int64_t wall_ns = 0;       // since the Unix epoch; may step
};

inline Instant ReadClock() {
  using std::chrono::duration_cast;
  using std::chrono::nanoseconds;
  return {duration_cast<nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count(),
          duration_cast<nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count()};
}

}  // namespace collector
