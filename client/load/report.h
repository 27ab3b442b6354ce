// A load's result, for people and for programs.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "client/load/dtls_devices.h"
#include "client/load/fleet.h"
#include "client/load/run.h"
#include "client/load/verify.h"

namespace collector::client {

struct LoadReport {
  FleetOptions options;
  std::optional<Handshakes> handshakes{};  // with coaps://
  FleetReport fleet{};
  LoadCost cost{};
  std::uint64_t send_errors = 0;
  std::uint64_t drops = 0;  // of the load's own sockets
  std::optional<VerifyReport> verify{};
};

// The exit status of what was sent; --verify has its own.
Tally TallyOf(const FleetReport& report);

std::string LoadText(const LoadReport& report);
nlohmann::ordered_json LoadJson(const LoadReport& report);

// One line, without its end, for a terminal that is `columns` wide: a bar, where an end is known,
// the rate since the last glance, what has become of the events.
struct Progress {
  double done = 0;  // 0 to 1; below 0: no end is known
  double events_per_s = 0;
  std::uint64_t sent = 0;
  std::uint64_t stored = 0;
  std::uint64_t failed = 0;  // refused, unavailable, unanswered
  std::uint64_t in_flight = 0;
  double seconds = 0;
};
std::string ProgressLine(const Progress& progress, std::size_t columns);

// 1234567 as "1,234,567".
std::string Grouped(std::uint64_t number);

}  // namespace collector::client
