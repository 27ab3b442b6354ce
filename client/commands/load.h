// client load: many simulated devices, and what the collector made of their events.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "client/commands/command.h"
#include "client/commands/incremental.h"
#include "client/commands/store_options.h"
#include "client/load/fleet.h"

namespace collector::client {

struct LoadCommand {
  std::uint32_t devices = 100;
  std::uint32_t window = 0;  // 0: one event of each device, in an open loop kWindowMax
  double rate = 0;
  double duration_s = 0;     // 0: 10 s, or as long as the events take
  std::uint64_t events = 0;  // 0: as many as the duration allows
  double warmup_s = 0;
  double drain_s = 0;  // 0: as long as each event takes
  bool non_confirmable = false;
  bool until_stored = false;
  double ack_timeout_s = 2;
  unsigned retransmissions = 4;
  double loss_percent = 0;
  std::int64_t clock_skew_ms = 0;
  std::vector<std::string> sources{};
  std::string type = "temperature";
  std::string value{};  // none: readings from 10.0 to 99.9
  IncrementalCommand series{};
  bool is_series = false;
  bool json = false;
  bool verify = false;
  StoreOptions store{};

  int operator()(const Settings& settings) const;
};

// Errors: a value that incremental or send would not take either, contradicting options.
Result<std::vector<std::string>> ValuesOf(const LoadCommand& command);
FleetOptions FleetOptionsOf(const LoadCommand& command, const Settings& settings,
                            std::uint64_t seed);

CommandSpec AddLoad(CLI::App* app, const Environment& environment);

}  // namespace collector::client
