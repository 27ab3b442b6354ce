// client incremental: a series of events whose value grows or shrinks.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "client/commands/command.h"
#include "client/delivery.h"

namespace collector::client {

struct IncrementalCommand {
  std::string type{};
  double initial_value = 0;
  std::int64_t count = 0;  // 0: for ever
  double pace_s = 0;
  double rate = 0;  // events a second, instead of a pace; 0: none
  double factor = 1;
  double min = std::numeric_limits<double>::lowest();
  double max = std::numeric_limits<double>::max();
  Delivery delivery{};

  int operator()(const Settings& settings) const;
};

// The values: the first, then each the last one times the factor. A value that would leave
// [min, max] is the bound it passed, and stays there while the factor leads out.
class IncrementalValues {
 public:
  explicit IncrementalValues(const IncrementalCommand& command);

  double Next();

 private:
  double next_;
  const double factor_;
  const double min_;
  const double max_;
};

CommandSpec AddIncremental(CLI::App* app, const Environment& environment);

}  // namespace collector::client
