// How the collector does, as the page shows it.
#pragma once

#include <cstdint>
#include <string>

#include "collector/base/metrics.h"
#include "collector/base/service_state.h"

namespace collector {

struct PageStatus {
  const ServiceState& state;
  const Metrics& metrics;
  double events_per_second;
  std::int64_t events_stored;   // rows
  std::int64_t behind;          // of them, not in the summary yet
  const std::string& database;  // path; empty: there is none
  std::int64_t uptime_ns;
  std::size_t live, live_max;  // open pages
};

std::string StatusJson(const PageStatus& status);

// The upper bound, in milliseconds, of the durations of which a share (0 to 1) lies below; none
// observed: 0. Above the last bound: the last.
double PercentileMs(const DurationHistogram& histogram, double share);

}  // namespace collector
