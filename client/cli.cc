#include "client/cli.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <sstream>
#include <string_view>
#include <utility>

#include "client/coap_client.h"
#include "client/commands/healthcheck.h"
#include "client/exit_status.h"
#include "client/value.h"
#include "event/timestamp.h"

namespace collector::client {
namespace {

constexpr double kPaceSecondsMax = 1e7;

constexpr const char* kDescription =
    "Sends events to a CoAP collector, and shows what it answers.\n\n"
    "Examples:\n"
    "  client send temperature 21.5\n"
    "  client -H collector.example -o probe1 send door '{\"open\":true}'\n"
    "  client -s demo -o probe1 incremental --numberOfEvents 10 -f 1.1 temperature 15\n"
    "  client healthcheck\n";
constexpr const char* kExitStatuses =
    "Exit status, the highest where events went different ways:\n"
    "  0  every event is stored (answer 2.xx)\n"
    "  1  another failure: no such host, no weather report, an event too large\n"
    "  2  wrong usage; nothing was sent\n"
    "  3  refused (4.xx): sending the same again will not help\n"
    "  4  unavailable (5.xx, 4.29): sending it again later may\n"
    "  5  no answer: it may be stored or not; sending it again does no harm\n"
    "Answers go to standard output, everything else to standard error.";

// In the list of commands only the first line of each one's description.
class Formatter : public CLI::Formatter {
 public:
  std::string make_subcommand(const CLI::App* command) const override {
    const std::string description = command->get_description();
    std::stringstream out;
    CLI::detail::format_help(out, command->get_display_name(),
                             description.substr(0, description.find('\n')), 20);
    return out.str();
  }
};

std::string CheckFinite(const std::string& text) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  if (end == text.c_str() || *end != '\0' || !std::isfinite(number)) {
    return "'" + text + "' is not a number";
  }
  return "";
}

std::string CheckFactor(const std::string& text) {
  if (std::string error = CheckFinite(text); !error.empty()) return error;
  return std::strtod(text.c_str(), nullptr) > 0 ? "" : "'" + text + "' is not positive";
}

std::string CheckCount(const std::string& text) {
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && count >= 0 ? "" : "'" + text + "' is not a whole number from 0";
}

std::string CheckPace(const std::string& text) {
  if (std::string error = CheckFinite(text); !error.empty()) return error;
  const double seconds = std::strtod(text.c_str(), nullptr);
  return seconds >= 0 && seconds <= kPaceSecondsMax ? "" : "'" + text + "' is not 0 to 1e7 seconds";
}

std::string CheckTimestamp(const std::string& text) {
  return ParseTimestamp(text).has_value()
             ? ""
             : "'" + text + "' is not RFC 3339, like 2018-06-01T14:08:24.772Z";
}

std::string CheckValue(const std::string& text) {
  const auto value = ParseValue(text);
  return value.ok() ? "" : value.error().message;
}

bool IsNegativeNumber(const std::string& argument) {
  return argument.size() > 1 && argument[0] == '-' &&
         (std::isdigit(static_cast<unsigned char>(argument[1])) != 0 || argument[1] == '.');
}

// CLI11 takes "-3.5" for an option; behind a blank it is an argument, and still a number. What
// follows an option is that one's value already.
std::vector<std::string> ShieldNegativeNumbers(std::vector<std::string> arguments) {
  bool follows_option = false;
  for (std::string& argument : arguments) {
    if (argument == "--") break;
    if (IsNegativeNumber(argument)) {
      if (!follows_option) argument.insert(0, 1, ' ');
      follows_option = false;
      continue;
    }
    const bool flag = argument == "-S" || argument == "--silent";
    const bool has_value = argument.find('=') != std::string::npos;
    follows_option = argument.size() > 1 && argument[0] == '-' && !flag && !has_value;
  }
  return arguments;
}

// Takes the blank off again.
std::string Unshield(std::string argument) {
  if (argument.size() > 1 && argument[0] == ' ' && IsNegativeNumber(argument.substr(1))) {
    argument.erase(0, 1);
  }
  return argument;
}

std::string HostName() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "unknown";
  return name.data();
}

// Kubernetes sets COLLECTOR_PORT=udp://10.0.0.1:5683 for a service of that name: only a number is
// meant for us.
void DefaultsFrom(const Environment& environment, Settings* settings) {
  if (const char* host = environment("COLLECTOR_HOST"); host != nullptr && *host != '\0') {
    settings->host = host;
  }
  if (const char* port = environment("COLLECTOR_PORT"); port != nullptr) {
    const std::string_view text(port);
    std::uint16_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size() && number != 0) {
      settings->port = number;
    }
  }
}

// What the options are bound to, where that is not their final type.
struct Raw {
  Settings settings;
  std::int64_t timeout_s = 0;
  SendOptions send;
  IncrementalOptions incremental;
  CityOptions city;
  SystemOptions system;
  double incremental_pace_s = 0;
  double system_pace_s = 60;
};

void AddGlobals(CLI::App* app, Raw* raw) {
  Settings& settings = raw->settings;
  app->set_version_flag("-V,--version", std::string("coap-collector client ") + COLLECTOR_VERSION +
                                            " (" + CoapClient::LibraryVersion() + ")");
  app->add_option("-H,--host", settings.host,
                  "The collector: a name or an address; also from COLLECTOR_HOST")
      ->capture_default_str();
  app->add_option("-P,--port", settings.port, "Its UDP port; also from COLLECTOR_PORT")
      ->check(CLI::Range(1, 65535).description(""))
      ->capture_default_str();
  app->add_option("-o,--origin", settings.origin,
                  "What was measured; default: this machine's name");
  app->add_option("-s,--sender", settings.sender, "Who sends; default: client");
  app->add_option("-N,--namespace", settings.name_space, "The events' namespace")
      ->capture_default_str();
  app->add_option("--timeout", raw->timeout_s, "Seconds to wait for each answer")
      ->check(CLI::Range(1, 3600).description(""))
      ->capture_default_str();
  app->add_flag("-S,--silent", settings.silent, "Do not print answers");
}

CLI::App* AddSend(CLI::App* app, Raw* raw) {
  SendOptions& options = raw->send;
  CLI::App* command = app->add_subcommand(
      "send",
      "Send one event\n\n"
      "Examples:\n"
      "  client send temperature -3.5\n"
      "  client -o van7 send position '{\"lat\":40.4,\"lon\":-3.7}'\n"
      "  client send state running --timestamp 2018-06-01T14:08:24.772Z\n\n"
      "A value is JSON (21.5, true, {...}, [...]), else a text. To send a text that looks like\n"
      "JSON, quote it twice: '\"21.5\"'.\n");
  command->add_option("type", options.type, "What the value is, like temperature")->required();
  command->add_option("value", options.value, "A number, true, false, JSON or a text")
      ->required()
      ->transform(Unshield)
      ->check(CheckValue);
  command->add_option("--timestamp", options.timestamp, "When it was measured; default: now")
      ->check(CheckTimestamp);
  command->add_option("--id", options.id, "Tells events apart that are equal in all else");
  return command;
}

CLI::App* AddIncremental(CLI::App* app, Raw* raw) {
  IncrementalOptions& options = raw->incremental;
  CLI::App* command = app->add_subcommand(
      "incremental",
      "Send many events, the value multiplied by a factor each time\n\n"
      "Examples:\n"
      "  client incremental --numberOfEvents 10 -f 1.1 temperature 15\n"
      "  client incremental -p 0.5 -f 0.9 --min 2 battery 100\n\n"
      "A value that would pass --max or --min stays at that bound. The next event does not wait\n"
      "for the last one's answer; at most 64 are in flight. Ctrl-C ends the series.\n");
  command->add_option("type", options.type, "What the value is, like temperature")->required();
  command->add_option("initialValue", options.initial_value, "The first value")
      ->required()
      ->check(CheckFinite);
  command->add_option("-n,--numberOfEvents", options.count, "How many; 0: for ever")
      ->check(CheckCount)
      ->capture_default_str();
  command->add_option("-p,--pace", raw->incremental_pace_s, "Seconds between events")
      ->check(CheckPace)
      ->capture_default_str();
  command->add_option("-f,--factor", options.factor, "A positive number")
      ->check(CheckFactor)
      ->capture_default_str();
  command->add_option("--max", options.max, "The value's upper bound")->check(CheckFinite);
  command->add_option("--min", options.min, "The value's lower bound")->check(CheckFinite);
  return command;
}

CLI::App* AddCity(CLI::App* app, Raw* raw) {
  CLI::App* command = app->add_subcommand(
      "city",
      "Send a city's current weather\n\n"
      "Examples:\n"
      "  OPENWEATHERMAP_APIKEY=... client city Madrid\n"
      "  client -o capital city London,GB\n\n"
      "From openweathermap.org: temperature (Celsius), humidity (%), pressure (hPa), windSpeed\n"
      "(m/s), windDirection (degrees), cloudiness (%), visibility (m), rain, snow (mm in the last\n"
      "hour), weather; one event each, with the time of the report. Sender is weather-city and\n"
      "origin the city, unless given. OPENWEATHERMAP_URL asks another server.\n");
  command->add_option("name", raw->city.name, "The city, as openweathermap.org knows it")
      ->required();
  return command;
}

CLI::App* AddSystem(CLI::App* app, Raw* raw) {
  CLI::App* command = app->add_subcommand(
      "system",
      "Send this machine's own measurements\n\n"
      "Examples:\n"
      "  client system\n"
      "  client -H collector.example -S system -p 60 -n 0\n\n"
      "load1, load5, load15, memoryUsed, memoryAvailable, diskFree (bytes), uptime (seconds),\n"
      "temperature.<zone> (Celsius); one event each.\n");
  command->add_option("-p,--pace", raw->system_pace_s, "Seconds between measurements")
      ->check(CheckPace)
      ->capture_default_str();
  command
      ->add_option("-n,--numberOfEvents", raw->system.count,
                   "How many times to measure; 0: for ever")
      ->check(CheckCount)
      ->capture_default_str();
  return command;
}

std::chrono::nanoseconds Seconds(double seconds) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double>(seconds));
}

std::string OrEmpty(const char* text) { return text == nullptr ? "" : text; }

// The parser, and where it puts what it reads.
struct Cli {
  CLI::App app{kDescription, "client"};
  Raw raw;
  CLI::App* healthcheck = nullptr;
  CLI::App* send = nullptr;
  CLI::App* incremental = nullptr;
  CLI::App* city = nullptr;
  CLI::App* system = nullptr;
};

void AddAll(Cli* cli) {
  Raw* raw = &cli->raw;
  raw->timeout_s = raw->settings.timeout.count();
  cli->app.formatter(std::make_shared<Formatter>());
  cli->app.footer(kExitStatuses);
  cli->app.require_subcommand(1);
  cli->app.fallthrough();  // global options may follow the command
  AddGlobals(&cli->app, raw);
  cli->healthcheck =
      cli->app.add_subcommand("healthcheck",
                              "Ask the collector whether it is well\n\n"
                              "Examples:\n"
                              "  client healthcheck\n"
                              "  client -H collector.example -S healthcheck && echo well\n");
  cli->healthcheck->footer(
      "Exit status: 0 well, 1 not well or no answer within 5 s, 2 wrong usage.");
  cli->send = AddSend(&cli->app, raw);
  cli->incremental = AddIncremental(&cli->app, raw);
  cli->city = AddCity(&cli->app, raw);
  cli->system = AddSystem(&cli->app, raw);
  for (CLI::App* command : {cli->send, cli->incremental, cli->city, cli->system}) {
    command->footer(kExitStatuses);
  }
}

Settings SettingsFrom(const Cli& cli) {
  Settings settings = cli.raw.settings;
  settings.timeout = std::chrono::seconds(cli.raw.timeout_s);
  if (!cli.city->parsed()) {
    settings.sender = settings.sender.value_or("client");
    settings.origin = settings.origin.value_or(HostName());
  }
  return settings;
}

Result<Command> CommandFrom(const Cli& cli, const Environment& environment) {
  if (cli.send->parsed()) return Command(cli.raw.send);
  if (cli.incremental->parsed()) {
    IncrementalOptions options = cli.raw.incremental;
    if (options.min > options.max) return Error{ErrorCode::kInvalid, "--min is above --max"};
    options.pace = Seconds(cli.raw.incremental_pace_s);
    return Command(options);
  }
  if (cli.city->parsed()) {
    CityOptions options = cli.raw.city;
    options.key = OrEmpty(environment("OPENWEATHERMAP_APIKEY"));
    const std::string url = OrEmpty(environment("OPENWEATHERMAP_URL"));
    if (!url.empty()) options.url = url;
    return Command(options);
  }
  if (cli.system->parsed()) {
    SystemOptions options = cli.raw.system;
    options.pace = Seconds(cli.raw.system_pace_s);
    return Command(options);
  }
  return Command(Healthcheck{});
}

Error UsageError(const std::string& what) {
  return {ErrorCode::kInvalid, Printable(what) + "; client --help tells more"};
}

}  // namespace

Result<Invocation> ParseCommandLine(const std::vector<std::string>& arguments,
                                    const Environment& environment) {
  for (const std::string& argument : arguments) {
    if (!IsUtf8(argument)) return UsageError("an argument is not UTF-8");
  }
  Cli cli;
  DefaultsFrom(environment, &cli.raw.settings);
  AddAll(&cli);
  Invocation invocation;
  try {  // CLI11's own idiom; nothing of it passes this function
    std::vector<std::string> reversed = ShieldNegativeNumbers(arguments);
    std::reverse(reversed.begin(), reversed.end());  // as CLI11 takes them
    cli.app.parse(std::move(reversed));
  } catch (const CLI::Success& asked) {
    std::ostringstream text;
    cli.app.exit(asked, text, text);
    invocation.print = text.str();
    return invocation;
  } catch (const CLI::ParseError& error) {
    const std::vector<std::string> unknown = cli.app.remaining();
    if (cli.app.get_subcommands().empty() && !unknown.empty()) {
      return UsageError("'" + unknown.front() + "' is no command or option");
    }
    return UsageError(error.what());
  }
  auto command = CommandFrom(cli, environment);
  if (!command.ok()) return UsageError(command.error().message);
  invocation.command = std::move(command).value();
  invocation.settings = SettingsFrom(cli);
  return invocation;
}

int Run(const Invocation& invocation) {
  const Settings& settings = invocation.settings;
  struct Runner {
    const Settings& settings;
    int operator()(const Healthcheck&) const { return RunHealthcheck(settings); }
    int operator()(const SendOptions& options) const { return RunSend(settings, options); }
    int operator()(const IncrementalOptions& options) const {
      return RunIncremental(settings, options);
    }
    int operator()(const CityOptions& options) const { return RunCity(settings, options); }
    int operator()(const SystemOptions& options) const { return RunSystem(settings, options); }
  };
  return std::visit(Runner{settings}, invocation.command);
}

}  // namespace collector::client
