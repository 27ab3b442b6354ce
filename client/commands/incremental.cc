#include "client/commands/incremental.h"

#include <algorithm>
#include <utility>

#include "client/exit_status.h"
#include "client/sender.h"

namespace collector::client {

IncrementalValues::IncrementalValues(const IncrementalOptions& options)
    : next_(std::clamp(options.initial_value, options.min, options.max)),
      factor_(options.factor),
      min_(options.min),
      max_(options.max) {}

double IncrementalValues::Next() {
  const double value = next_;
  next_ = std::clamp(value * factor_, min_, max_);
  return value;
}

int RunIncremental(const Settings& settings, const IncrementalOptions& options) {
  auto created = Sender::Create(settings);
  if (!created.ok()) return Fail(created.error().message, kExitFailed);
  Sender& sender = *created.value();
  IncrementalValues values(options);
  Sender::Clock::time_point due = Sender::Clock::now();
  for (std::int64_t n = 0; options.count == 0 || n < options.count; ++n) {
    if (!sender.WaitUntil(due)) break;
    Reading reading{.type = options.type, .value = values.Next()};
    if (!sender.Send(std::move(reading))) break;
    due = std::max(due + options.pace, Sender::Clock::now());
  }
  return sender.Finish();
}

}  // namespace collector::client
