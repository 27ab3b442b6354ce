#include "collector/base/flat_map.h"

#include <map>
#include <random>

#include "tests/unit/catch.h"

namespace collector {
namespace {

TEST_CASE("A flat map holds what was put into it and not taken out") {
  // Keys that begin at few places, so that most are pushed on, around the end as well.
  std::mt19937_64 random(GENERATE(1u, 2u, 3u));
  FlatMap<std::uint64_t> map;
  std::map<std::uint64_t, std::uint64_t> expected;
  for (std::uint64_t step = 1; step < 20'000; ++step) {
    const std::uint64_t key = 1 + (random() % 40) + (random() % 8 << 40);
    if (random() % 2 == 0) {
      map.Insert(key, step);
      expected[key] = step;
    } else {
      map.Erase(key);
      expected.erase(key);
    }
    REQUIRE(map.size() == expected.size());
    const std::uint64_t* found = map.Find(key);
    REQUIRE((found != nullptr) == expected.contains(key));
    if (step % 100 != 0) continue;
    for (const auto& [kept, value] : expected) {
      REQUIRE(map.Find(kept) != nullptr);
      REQUIRE(*map.Find(kept) == value);
    }
  }
}

}  // namespace
}  // namespace collector
