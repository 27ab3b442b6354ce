// client incremental: a series of events whose value grows or shrinks.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>

#include "client/settings.h"

namespace collector::client {

struct IncrementalOptions {
  std::string type;
  double initial_value = 0;
  std::int64_t count = 0;  // 0: for ever
  std::chrono::nanoseconds pace{0};
  double factor = 1;
  double min = std::numeric_limits<double>::lowest();
  double max = std::numeric_limits<double>::max();
};

// The values: the first, then each the last one times the factor. A value that would leave
// [min, max] is the bound it passed, and stays there while the factor leads out.
class IncrementalValues {
 public:
  explicit IncrementalValues(const IncrementalOptions& options);

  double Next();

 private:
  double next_;
  const double factor_;
  const double min_;
  const double max_;
};

// Returns the exit status.
int RunIncremental(const Settings& settings, const IncrementalOptions& options);

}  // namespace collector::client
