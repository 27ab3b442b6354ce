#include "client/load/run.h"

#include <sys/prctl.h>

#include <algorithm>
#include <ctime>

#include "collector/base/clock.h"

namespace collector::client {
namespace {

constexpr std::int64_t kGlanceNs = 200'000'000;
constexpr std::int64_t kSpinNs = 5'000'000;      // look again at once this long before sleeping
constexpr std::int64_t kWakeNs = 300'000;        // a sleep may take so much longer than it should
constexpr std::int64_t kSleepNsMax = 1'000'000;  // answers may come while the clock is not read
constexpr std::int64_t kDrainInterruptedNs = 2'000'000'000;

std::int64_t MonotonicNs() { return ReadClock().monotonic_ns; }

std::int64_t CpuNs() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

// Looks again at once for a while before it sleeps, and wakes before an event is due: being woken
// takes time, which would be measured as the collector's, and costs whoever wakes it, which may be
// a collector on the same machine.
LoadCost RunLoad(Fleet* fleet, Devices* devices, const Glance& glance) {
  prctl(PR_SET_TIMERSLACK, 1UL);
  const Instant began = ReadClock();
  std::int64_t now_ns = began.monotonic_ns;
  std::int64_t heard_ns = now_ns;
  std::int64_t next_glance_ns = now_ns;
  std::int64_t slept_ns = 0;
  std::uint64_t reads = 0;
  const std::int64_t cpu_ns = CpuNs();
  fleet->Begin(began);
  for (;;) {
    fleet->Turn(now_ns);
    const auto arrivals = devices->Receive();
    now_ns = MonotonicNs();
    if (!arrivals.empty()) {
      if (fleet->measuring()) ++reads;
      heard_ns = now_ns;
    }
    fleet->Take(arrivals, now_ns);
    if (now_ns >= next_glance_ns) {
      next_glance_ns = now_ns + kGlanceNs;
      if (!glance(*fleet, now_ns - began.monotonic_ns)) fleet->Stop(now_ns, kDrainInterruptedNs);
    }
    if (fleet->done()) break;
    const std::int64_t sleep_ns = std::min(fleet->NextTurn() - now_ns - kWakeNs, kSleepNsMax);
    const bool spin = fleet->in_flight() > 0 && now_ns - heard_ns < kSpinNs;
    if (!arrivals.empty() || spin || sleep_ns <= 0) continue;
    devices->Wait(sleep_ns);
    const std::int64_t woken_ns = MonotonicNs();
    if (fleet->measuring()) slept_ns += woken_ns - now_ns;
    now_ns = woken_ns;
  }
  fleet->Finish();
  const FleetReport& report = fleet->report();
  const auto at_least_one = [](std::uint64_t count) {
    return static_cast<double>(std::max<std::uint64_t>(count, 1));
  };
  const double measured_ns = static_cast<double>(report.measured_ns);
  return {
      .cpu_us_per_event = static_cast<double>(CpuNs() - cpu_ns) / 1e3 / at_least_one(report.sent),
      .busy = measured_ns > 0 ? std::max(1 - static_cast<double>(slept_ns) / measured_ns, 0.0) : 0,
      .answers_per_read = static_cast<double>(report.measured) / at_least_one(reads)};
}

}  // namespace collector::client
