#include "client/commands/send.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <utility>

#include "client/commands/checks.h"
#include "client/exit_status.h"
#include "client/sender.h"
#include "client/value.h"
#include "event/timestamp.h"

namespace collector::client {

int SendCommand::operator()(const Settings& settings) const {
  auto parsed = ParseValue(value);
  if (!parsed.ok()) return Fail(parsed.error().message, kExitUsage);
  Reading reading{.type = type, .value = std::move(parsed).value(), .client_id = id};
  if (!timestamp.empty()) {
    reading.timestamp_ns = ParseTimestamp(timestamp);
    if (!reading.timestamp_ns.has_value()) {
      return Fail("--timestamp: '" + timestamp + "' is not like 2018-06-01T14:08:24.772Z",
                  kExitUsage);
    }
  }
  auto sender = Sender::Create(settings);
  if (!sender.ok()) return Fail(sender.error().message, kExitFailed);
  sender.value()->Send(std::move(reading));
  return sender.value()->Finish();
}

CommandSpec AddSend(CLI::App* app, const Environment& /*environment*/) {
  const auto send = std::make_shared<SendCommand>();
  CLI::App* command = app->add_subcommand(
      "send",
      "Send one event\n\n"
      "Examples:\n"
      "  client send temperature -3.5\n"
      "  client -o van7 send position '{\"lat\":40.4,\"lon\":-3.7}'\n"
      "  client send state running --timestamp 2018-06-01T14:08:24.772Z\n\n"
      "A value is JSON (21.5, true, {...}, [...]), else a text. To send a text that looks like\n"
      "JSON, quote it twice: '\"21.5\"'.\n");
  command->add_option("type", send->type, "What the value is, like temperature")->required();
  command->add_option("value", send->value, "A number, true, false, JSON or a text")
      ->required()
      ->transform(Unshield)
      ->check(CheckValue);
  command->add_option("--timestamp", send->timestamp, "When it was measured; default: now")
      ->check(CheckTimestamp);
  command->add_option("--id", send->id, "Tells events apart that are equal in all else");
  return {.app = command, .make = [send]() -> Result<Run> { return Run(*send); }};
}

}  // namespace collector::client
