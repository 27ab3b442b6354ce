// The one loop of a load: take answers, send what they made room for, look after what is overdue.
#pragma once

#include <cstdint>
#include <functional>

#include "client/load/devices.h"
#include "client/load/fleet.h"

namespace collector::client {

// What the load costs itself; it bounds what can be believed of the rest.
struct LoadCost {
  double cpu_us_per_event = 0;
  double busy = 0;              // share of the measuring window not spent waiting
  double answers_per_read = 0;  // 64 at most; near it, the load is what limits the rate
};

// Called five times a second. False: stop sending, and end soon.
using Glance = std::function<bool(const Fleet& fleet, std::int64_t elapsed_ns)>;

LoadCost RunLoad(Fleet* fleet, Devices* devices, const Glance& glance);

}  // namespace collector::client
