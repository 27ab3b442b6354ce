// Time is counted in nanoseconds everywhere; these are the others.
#pragma once

#include <cstdint>

namespace collector {

inline constexpr std::int64_t kNsPerUs = 1'000;
inline constexpr std::int64_t kNsPerMs = 1'000'000;
inline constexpr std::int64_t kNsPerSecond = 1'000'000'000;

}  // namespace collector
