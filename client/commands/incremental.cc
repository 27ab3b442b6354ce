#include "client/commands/incremental.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <utility>

#include "client/commands/checks.h"
#include "client/commands/delivery_options.h"
#include "client/exit_status.h"
#include "client/sender.h"

namespace collector::client {
namespace {

constexpr std::chrono::seconds kCatchUpMax{1};

}  // namespace

IncrementalValues::IncrementalValues(const IncrementalCommand& command)
    : next_(std::clamp(command.initial_value, command.min, command.max)),
      factor_(command.factor),
      min_(command.min),
      max_(command.max) {}

double IncrementalValues::Next() {
  const double value = next_;
  next_ = std::clamp(value * factor_, min_, max_);
  return value;
}

int IncrementalCommand::operator()(const Settings& settings) const {
  auto created = Sender::Create(settings, delivery);
  if (!created.ok()) return Fail(created.error().message, kExitFailed);
  Sender& sender = *created.value();
  IncrementalValues values(*this);
  Sender::Clock::time_point due = Sender::Clock::now();
  for (std::int64_t n = 0; count == 0 || n < count; ++n) {
    if (!sender.WaitUntil(due)) break;
    Reading reading{.type = type, .value = values.Next()};
    if (!sender.Send(std::move(reading))) break;
    const Sender::Clock::time_point now = Sender::Clock::now();
    // A pace is the least between two events; a rate is kept on average, after a short delay too.
    due = rate > 0 ? std::max(due + Seconds(1 / rate), now - kCatchUpMax)
                   : std::max(due + Seconds(pace_s), now);
  }
  return sender.Finish();
}

CommandSpec AddIncremental(CLI::App* app, const Environment& /*environment*/) {
  const auto incremental = std::make_shared<IncrementalCommand>();
  CLI::App* command = app->add_subcommand(
      "incremental",
      "Send many events, the value multiplied by a factor each time\n\n"
      "Examples:\n"
      "  client incremental --numberOfEvents 10 -f 1.1 temperature 15\n"
      "  client incremental -p 0.5 -f 0.9 --min 2 battery 100\n"
      "  client -S incremental --rate 200 -n 2000 temperature 15\n\n"
      "A value that would pass --max or --min stays at that bound. The next event does not wait\n"
      "for the last one's answer; at most 64 are in flight. Ctrl-C ends the series, and\n"
      "then a summary tells what became of it, and how long answers took.\n");
  command->add_option("type", incremental->type, "What the value is, like temperature")->required();
  command->add_option("initialValue", incremental->initial_value, "The first value")
      ->required()
      ->check(CheckFinite);
  command->add_option("-n,--numberOfEvents", incremental->count, "How many; 0: for ever")
      ->check(CheckCount)
      ->capture_default_str();
  CLI::Option* pace =
      command->add_option("-p,--pace", incremental->pace_s, "Seconds between events")
          ->check(CheckPace)
          ->capture_default_str();
  command->add_option("--rate", incremental->rate, "Events a second, instead of a pace")
      ->check(CheckPositive)
      ->excludes(pace);
  command->add_option("-f,--factor", incremental->factor, "A positive number")
      ->check(CheckPositive)
      ->capture_default_str();
  command->add_option("--max", incremental->max, "The value's upper bound")->check(CheckFinite);
  command->add_option("--min", incremental->min, "The value's lower bound")->check(CheckFinite);
  AddContentFormatOption(command, &incremental->delivery);
  AddDeliveryOptions(command, &incremental->delivery);
  return {.app = command, .make = [incremental]() -> Result<Run> {
            if (incremental->min > incremental->max) {
              return Error{ErrorCode::kInvalid, "--min is above --max"};
            }
            return Run(*incremental);
          }};
}

}  // namespace collector::client
