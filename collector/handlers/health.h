// GET /health.
#pragma once

#include <cstdint>
#include <string>

#include "collector/base/service_state.h"
#include "collector/middleware/middleware.h"

namespace collector {

// The body of a health answer: {"status","store","version","time"}. Any thread.
std::string HealthJson(const ServiceState& state, std::int64_t wall_ns);

// 2.05 with the health body while events are taken; 5.03 with it while they are not. As CBOR where
// that is asked for; Accept other than JSON and CBOR: 4.06. `state` outlives the handler.
Handler HealthHandler(const ServiceState* state);

}  // namespace collector
