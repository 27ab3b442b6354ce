// The metrics in Prometheus' text format.
#pragma once

#include <string>

#include "collector/base/metrics.h"
#include "collector/base/service_state.h"

namespace collector {

std::string MetricsText(const Metrics& metrics, const ServiceState& state,
                        std::int64_t now_monotonic_ns);

}  // namespace collector
