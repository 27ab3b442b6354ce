#include "collector/store/sqlite/chart.h"

#include <array>

namespace collector {
namespace {

constexpr std::int64_t kSecond = 1'000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;
constexpr std::array kLengths = {std::int64_t{1},
                                 std::int64_t{2},
                                 std::int64_t{5},
                                 std::int64_t{10},
                                 std::int64_t{20},
                                 std::int64_t{50},
                                 std::int64_t{100},
                                 std::int64_t{200},
                                 std::int64_t{500},
                                 kSecond,
                                 2 * kSecond,
                                 5 * kSecond,
                                 10 * kSecond,
                                 15 * kSecond,
                                 30 * kSecond,
                                 kMinute,
                                 2 * kMinute,
                                 5 * kMinute,
                                 10 * kMinute,
                                 20 * kMinute,
                                 30 * kMinute,
                                 kHour,
                                 2 * kHour,
                                 3 * kHour,
                                 6 * kHour,
                                 12 * kHour,
                                 kDay,
                                 2 * kDay,
                                 7 * kDay};

Buckets Cover(std::int64_t from_ms, std::int64_t to_ms, std::int64_t length_ms) {
  return {.from_ms = from_ms / length_ms * length_ms,
          .to_ms = (to_ms + length_ms - 1) / length_ms * length_ms,
          .length_ms = length_ms};
}

}  // namespace

Buckets BucketsFor(std::int64_t from_ms, std::int64_t to_ms, std::size_t buckets_max,
                   std::int64_t length_ms_min) {
  if (to_ms <= from_ms) to_ms = from_ms + 1;
  for (const std::int64_t length_ms : kLengths) {
    const Buckets buckets = Cover(from_ms, to_ms, length_ms);
    if (length_ms >= length_ms_min && buckets.size() <= buckets_max) return buckets;
  }
  for (std::int64_t length_ms = 2 * kLengths.back();; length_ms *= 2) {
    const Buckets buckets = Cover(from_ms, to_ms, length_ms);
    if (length_ms >= length_ms_min && buckets.size() <= buckets_max) return buckets;
  }
}

int LevelFor(std::int64_t bucket_ms) {
  int level = -1;
  for (const std::int64_t level_ms : kLevelMs) {
    if (bucket_ms % level_ms == 0) ++level;
  }
  return level;
}

}  // namespace collector
