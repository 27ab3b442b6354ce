#include "client/commands/send.h"

#include <utility>

#include "client/exit_status.h"
#include "client/sender.h"
#include "client/value.h"
#include "event/timestamp.h"

namespace collector::client {

int RunSend(const Settings& settings, const SendOptions& options) {
  auto value = ParseValue(options.value);
  if (!value.ok()) return Fail(value.error().message, kExitUsage);
  Reading reading{.type = options.type, .value = std::move(value).value(), .client_id = options.id};
  if (!options.timestamp.empty()) {
    reading.timestamp_ns = ParseTimestamp(options.timestamp);
    if (!reading.timestamp_ns.has_value()) {
      return Fail("--timestamp: '" + options.timestamp + "' is not like 2018-06-01T14:08:24.772Z",
                  kExitUsage);
    }
  }
  auto sender = Sender::Create(settings);
  if (!sender.ok()) return Fail(sender.error().message, kExitFailed);
  sender.value()->Send(std::move(reading));
  return sender.value()->Finish();
}

}  // namespace collector::client
