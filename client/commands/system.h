// client system: this machine's own measurements.
#pragma once

#include <cstdint>

#include "client/commands/command.h"
#include "client/delivery.h"

namespace collector::client {

struct SystemCommand {
  std::int64_t count = 1;  // rounds of measurements; 0: for ever
  double pace_s = 60;
  Delivery delivery{};

  // Sends each measurement as one event (measurements.h lists them).
  int operator()(const Settings& settings) const;
};

CommandSpec AddSystem(CLI::App* app, const Environment& environment);

}  // namespace collector::client
