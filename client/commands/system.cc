#include "client/commands/system.h"

#include <algorithm>
#include <utility>

#include "client/exit_status.h"
#include "client/measurements.h"
#include "client/sender.h"

namespace collector::client {

int RunSystem(const Settings& settings, const SystemOptions& options) {
  auto created = Sender::Create(settings);
  if (!created.ok()) return Fail(created.error().message, kExitFailed);
  Sender& sender = *created.value();
  Sender::Clock::time_point due = Sender::Clock::now();
  for (std::int64_t n = 0; options.count == 0 || n < options.count; ++n) {
    if (!sender.WaitUntil(due)) break;
    for (Reading& reading : Measure("/")) {
      if (!sender.Send(std::move(reading))) break;
    }
    due = std::max(due + options.pace, Sender::Clock::now());
  }
  return sender.Finish();
}

}  // namespace collector::client
