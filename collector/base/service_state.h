// What the whole service is doing, as health answers tell it: written by the loop, read by any
// thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace collector {

struct ServiceState {
  enum class Phase : std::uint8_t { kStarting, kServing, kDraining };

  std::atomic<Phase> phase{Phase::kStarting};
  std::atomic<bool> store_failing{false};
  std::atomic<std::int64_t> last_turn_ns{0};  // monotonic; when the loop last went round
  std::string store_name;                     // constant once serving, as the next
  std::string coap_addresses;                 // listened on, separated by commas

  [[nodiscard]] bool Serving() const {
    return phase.load(std::memory_order_relaxed) == Phase::kServing;
  }
};

}  // namespace collector
