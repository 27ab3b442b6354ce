// The buckets of a chart: which lengths they may have, and the sums in them.
#pragma once

#include <cstdint>
#include <vector>

#include "collector/store/sqlite/summary.h"

namespace collector {

// A span of whole buckets; they begin at multiples of their length since 1970.
struct Buckets {
  std::int64_t from_ms = 0;
  std::int64_t to_ms = 0;
  std::int64_t length_ms = 1;

  [[nodiscard]] std::size_t size() const {
    return static_cast<std::size_t>((to_ms - from_ms) / length_ms);
  }
};

// The shortest buckets that cover [from_ms, to_ms) and are at most `buckets_max` (at least 2): of a
// length that a person counts in, at least `length_ms_min`. From a level's length on each
// consists of whole ones of that level.
Buckets BucketsFor(std::int64_t from_ms, std::int64_t to_ms, std::size_t buckets_max,
                   std::int64_t length_ms_min);

// The coarsest level whose spans such buckets consist of; -1: only single events can fill them.
int LevelFor(std::int64_t bucket_ms);

}  // namespace collector
