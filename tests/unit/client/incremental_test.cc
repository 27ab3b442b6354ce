#include "client/commands/incremental.h"

#include <cmath>
#include <vector>

#include "tests/unit/catch.h"

namespace collector::client {
namespace {

std::vector<double> First(int count, const IncrementalCommand& options) {
  IncrementalValues values(options);
  std::vector<double> out;
  for (int i = 0; i < count; ++i) out.push_back(values.Next());
  return out;
}

IncrementalCommand From(double initial, double factor) {
  IncrementalCommand options;
  options.initial_value = initial;
  options.factor = factor;
  return options;
}

TEST_CASE("each value is the last one times the factor") {
  CHECK(First(3, From(15, 1)) == std::vector<double>{15, 15, 15});
  CHECK(First(3, From(2, 3)) == std::vector<double>{2, 6, 18});
  CHECK(First(3, From(-2, 3)) == std::vector<double>{-2, -6, -18});
  CHECK(First(3, From(8, 0.5)) == std::vector<double>{8, 4, 2});
}

TEST_CASE("a value that would leave the bounds stays at the bound") {
  IncrementalCommand up = From(4, 2);
  up.max = 10;
  CHECK(First(4, up) == std::vector<double>{4, 8, 10, 10});
  IncrementalCommand down = From(4, 0.5);
  down.min = 1.5;
  CHECK(First(4, down) == std::vector<double>{4, 2, 1.5, 1.5});
  IncrementalCommand below = From(-4, 2);
  below.min = -10;
  CHECK(First(4, below) == std::vector<double>{-4, -8, -10, -10});
  IncrementalCommand outside = From(40, 2);
  outside.max = 10;
  CHECK(First(2, outside) == std::vector<double>{10, 10});
}

TEST_CASE("without bounds the values stay finite") {
  IncrementalValues values(From(1, 10));
  double last = 0;
  for (int i = 0; i < 1000; ++i) last = values.Next();
  CHECK(std::isfinite(last));
  CHECK(last == std::numeric_limits<double>::max());
}

}  // namespace
}  // namespace collector::client
