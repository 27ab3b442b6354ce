// The metrics in Prometheus' text format.
#pragma once

#include <string>

#include "collector/base/metrics.h"

namespace collector {

std::string MetricsText(const Metrics& metrics);

}  // namespace collector
