// Secrets of this process: seeds of hashes and jitter that nobody outside may guess.
#pragma once

#include <sys/random.h>

#include <cstdint>

#include "collector/base/check.h"

namespace collector {

inline std::uint64_t RandomSeed() {
  std::uint64_t seed = 0;
  CHECK(getrandom(&seed, sizeof(seed), 0) == sizeof(seed));
  return seed;
}

}  // namespace collector
