// When a request goes out beside others that are under way. A pure function.
#pragma once

#include <cstddef>
#include <cstdint>

#include "collector/base/clock.h"

namespace collector {

// A request that takes longer than this holds nothing back any more.
inline constexpr std::int64_t kHoldBackNs = 100 * kNsPerMs;

struct Load {
  std::size_t requests_in_flight = 0;
  std::size_t events_in_flight = 0;
  std::int64_t oldest_sent_ns = 0;  // of those requests
  std::size_t events_waiting = 0;
};

// When nothing is under way whatever waits goes out at once. Beside others, only what is worth a
// request of its own: at least half as many events as those have on average. So a lone event never
// waits for company, batches under load become alike instead of one large and one tiny, and they
// grow with the time the engine takes. No event is held longer than until a request is answered, or
// kHoldBackNs after it went out if that is stuck.
inline bool IsWorthARequest(const Load& load, std::int64_t now_ns) {
  if (load.events_waiting == 0) return false;
  return 2 * load.events_waiting * load.requests_in_flight >= load.events_in_flight ||
         now_ns >= load.oldest_sent_ns + kHoldBackNs;
}

}  // namespace collector
