#include "client/commands/system.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <utility>

#include "client/commands/checks.h"
#include "client/commands/delivery_options.h"
#include "client/exit_status.h"
#include "client/measurements.h"
#include "client/sender.h"

namespace collector::client {

int SystemCommand::operator()(const Settings& settings) const {
  auto created = Sender::Create(settings, delivery);
  if (!created.ok()) return Fail(created.error().message, kExitFailed);
  Sender& sender = *created.value();
  Sender::Clock::time_point due = Sender::Clock::now();
  for (std::int64_t n = 0; count == 0 || n < count; ++n) {
    if (!sender.WaitUntil(due)) break;
    for (Reading& reading : Measure("/")) {
      if (!sender.Send(std::move(reading))) break;
    }
    due = std::max(due + Seconds(pace_s), Sender::Clock::now());
  }
  return sender.Finish();
}

CommandSpec AddSystem(CLI::App* app, const Environment& /*environment*/) {
  const auto system = std::make_shared<SystemCommand>();
  CLI::App* command = app->add_subcommand(
      "system",
      "Send this machine's own measurements\n\n"
      "Examples:\n"
      "  client system\n"
      "  client -H collector.example -S system -p 60 -n 0\n\n"
      "load1, load5, load15, memoryUsed, memoryAvailable, diskFree (bytes), uptime (seconds),\n"
      "temperature.<zone> (Celsius); one event each.\n");
  command->add_option("-p,--pace", system->pace_s, "Seconds between measurements")
      ->check(CheckPace)
      ->capture_default_str();
  command
      ->add_option("-n,--numberOfEvents", system->count, "How many times to measure; 0: for ever")
      ->check(CheckCount)
      ->capture_default_str();
  AddDeliveryOptions(command, &system->delivery);
  return {.app = command, .make = [system]() -> Result<Run> { return Run(*system); }};
}

}  // namespace collector::client
