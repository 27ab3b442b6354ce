// This machine's own measurements, from the kernel's files.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/sender.h"

namespace collector::client {

// /proc/loadavg: the mean number of runnable processes over 1, 5 and 15 minutes.
std::optional<std::array<double, 3>> ParseLoadAverage(std::string_view text);

struct Memory {
  std::uint64_t total_bytes = 0;
  std::uint64_t available_bytes = 0;
};
// /proc/meminfo.
std::optional<Memory> ParseMemory(std::string_view text);

// /proc/uptime: seconds since the system started.
std::optional<double> ParseUptime(std::string_view text);

// /sys/class/thermal/thermal_zone*/temp: degrees Celsius from thousandths of them.
std::optional<double> ParseTemperature(std::string_view text);

// What this machine tells of itself now; what it does not have is left out:
//   load1, load5, load15; memoryUsed, memoryAvailable, diskFree (bytes; of `root`'s file system);
//   uptime (s); temperature.<zone> (Celsius), as temperature.cpu-thermal on a Raspberry Pi; zones
//   of one name are told apart by .2, .3, ...
// `root` is "/" but in tests.
std::vector<Reading> Measure(const std::string& root);

}  // namespace collector::client
