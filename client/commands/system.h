// client system: this machine's own measurements.
#pragma once

#include <chrono>
#include <cstdint>

#include "client/settings.h"

namespace collector::client {

struct SystemOptions {
  std::int64_t count = 1;  // rounds of measurements; 0: for ever
  std::chrono::nanoseconds pace{std::chrono::seconds(60)};
};

// Sends each measurement as one event (measurements.h lists them). Returns the exit status.
int RunSystem(const Settings& settings, const SystemOptions& options);

}  // namespace collector::client
