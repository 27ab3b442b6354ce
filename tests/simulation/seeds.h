// Which seeds a simulation runs: with SEED=n that one alone, with SEEDS=n the first n, else 200.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace collector {

struct Seeds {
  std::uint64_t first = 0;
  std::uint64_t end = 200;
};

inline Seeds SeedsToRun() {
  Seeds seeds;
  if (const char* count = std::getenv("SEEDS")) seeds.end = std::strtoull(count, nullptr, 10);
  if (const char* only = std::getenv("SEED")) {
    seeds.first = std::strtoull(only, nullptr, 10);
    seeds.end = seeds.first + 1;
  }
  return seeds;
}

}  // namespace collector
