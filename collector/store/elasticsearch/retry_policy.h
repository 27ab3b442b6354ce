// What to make of an answer, and how long to wait before trying again. Values and pure functions.
#pragma once

#include <cstdint>
#include <string_view>

#include "collector/store/store.h"

namespace collector {

// What becomes of an event whose item was answered so. Refused is for good: the device is told to
// give the event up. So everything that an operator can mend is kNotNow, whatever its status.
Outcome JudgeItem(int status, std::string_view error_type);

enum class RequestFate : std::uint8_t {
  kAnswered,  // the items tell
  kTooLarge,  // to be sent in parts
  kBusy,      // 429: the engine is there, and wants less
  kFailed,    // nothing is known of any item
};

// `status` 0: no answer, or not all of it.
RequestFate JudgeRequest(int status);

// Capped exponential back-off with full jitter: anything from 0 to the limit of this attempt.
// `attempts` made so far, at least 1; `random` is any 64 bits.
std::int64_t BackOffNs(std::int64_t ms_min, std::int64_t ms_max, int attempts,
                       std::uint64_t random);

}  // namespace collector
