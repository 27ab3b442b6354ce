#include "client/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <memory>
#include <sstream>
#include <string_view>
#include <utility>

#include "client/cli_credentials.h"
#include "client/coap_client.h"
#include "client/commands/bridge.h"
#include "client/commands/checks.h"
#include "client/commands/city.h"
#include "client/commands/completion.h"
#include "client/commands/healthcheck.h"
#include "client/commands/incremental.h"
#include "client/commands/load.h"
#include "client/commands/replay.h"
#include "client/commands/send.h"
#include "client/commands/system.h"
#include "client/commands/watch.h"
#include "client/endpoint.h"
#include "client/value.h"
#include "collector/base/manual.h"

namespace collector::client {
namespace {

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

// Whether this names an option that takes no value, like -S.
bool IsFlag(const CLI::App& app, const std::vector<CommandSpec>& commands,
            const std::string& argument) {
  const auto is_flag = [&argument](const CLI::App& of) {
    const CLI::Option* option = of.get_option_no_throw(argument);
    return option != nullptr && option->get_items_expected_max() == 0;
  };
  return is_flag(app) ||
         std::any_of(commands.begin(), commands.end(),
                     [&is_flag](const CommandSpec& command) { return is_flag(*command.app); });
}

// See Unshield. What follows an option is that one's value already, and needs no blank.
std::vector<std::string> ShieldNegativeNumbers(const CLI::App& app,
                                               const std::vector<CommandSpec>& commands,
                                               std::vector<std::string> arguments) {
  bool follows_option = false;
  for (std::string& argument : arguments) {
    if (argument == "--") break;
    if (IsNegativeNumber(argument)) {
      if (!follows_option) argument.insert(0, 1, ' ');
      follows_option = false;
      continue;
    }
    const bool has_value = argument.find('=') != std::string::npos;
    follows_option =
        argument.size() > 1 && argument[0] == '-' && !has_value && !IsFlag(app, commands, argument);
  }
  return arguments;
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

constexpr std::uint16_t kDtlsPort = 5684;

// --port outweighs a URI's port, and that one COLLECTOR_PORT.
Result<Endpoint> TakeEndpoint(bool port_given, Settings* settings) {
  auto endpoint = ParseEndpoint(settings->host);
  if (!endpoint.ok()) return endpoint;
  settings->host = endpoint.value().host;
  if (port_given) return endpoint;
  const bool is_default = settings->port == Settings().port;
  if (endpoint.value().dtls && is_default) settings->port = kDtlsPort;
  settings->port = endpoint.value().port.value_or(settings->port);
  return endpoint;
}

void AddGlobals(CLI::App* app, Settings* settings, std::int64_t* timeout_s) {
  app->set_version_flag("-V,--version", std::string("coap-collector client ") + COLLECTOR_VERSION +
                                            " (" + CoapClient::LibraryVersion() + ")");
  AddManualFlag(app);
  app->add_option("-H,--host", settings->host,
                  "The collector: name, address, coap://host:port or coaps:// (DTLS); also from "
                  "COLLECTOR_HOST")
      ->capture_default_str();
  app->add_option("-P,--port", settings->port, "Its UDP port; also from COLLECTOR_PORT")
      ->check(CLI::Range(1, 65535).description(""))
      ->capture_default_str();
  app->add_option("-o,--origin", settings->origin,
                  "What was measured; default: this machine's name");
  app->add_option("-s,--sender", settings->sender, "Who sends; default: client");
  app->add_option("-N,--namespace", settings->name_space, "The events' namespace")
      ->capture_default_str();
  app->add_option("--timeout", *timeout_s, "Seconds to wait for each answer")
      ->check(CLI::Range(1, 3600).description(""))
      ->capture_default_str();
  app->add_flag("-S,--silent", settings->silent, "Do not print answers");
}

// In the order of the help.
std::vector<CommandSpec> AddCommands(CLI::App* app, const Environment& environment) {
  std::vector<CommandSpec> commands;
  for (const auto& add : {AddHealthcheck, AddSend, AddIncremental, AddCity, AddSystem, AddReplay,
                          AddBridge, AddLoad, AddWatch, AddCompletion}) {
    const CommandSpec& command = commands.emplace_back(add(app, environment));
    if (command.app->get_footer().empty()) command.app->footer(kExitStatuses);
  }
  return commands;
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
  Invocation invocation;
  DefaultsFrom(environment, &invocation.settings);
  CLI::App app(kDescription, "client");
  app.formatter(std::make_shared<Formatter>());
  app.footer(kExitStatuses);
  app.require_subcommand(1);
  app.fallthrough();  // global options may follow the command
  std::int64_t timeout_s = invocation.settings.timeout.count();
  CredentialsOptions credentials;
  AddGlobals(&app, &invocation.settings, &timeout_s);
  AddCredentials(&app, environment, &credentials);
  const std::vector<CommandSpec> commands = AddCommands(&app, environment);
  try {  // CLI11's own idiom; nothing of it passes this function
    std::vector<std::string> reversed = ShieldNegativeNumbers(app, commands, arguments);
    std::reverse(reversed.begin(), reversed.end());  // as CLI11 takes them
    app.parse(std::move(reversed));
  } catch (const CLI::Success& asked) {
    std::ostringstream text;
    app.exit(asked, text, text);
    invocation.print = text.str();
    return invocation;
  } catch (const CLI::ParseError& error) {
    const std::vector<std::string> unknown = app.remaining();
    if (app.get_subcommands().empty() && !unknown.empty()) {
      return UsageError("'" + unknown.front() + "' is no command or option");
    }
    return UsageError(error.what());
  }
  const auto given = std::find_if(commands.begin(), commands.end(),
                                  [](const CommandSpec& command) { return command.app->parsed(); });
  CHECK(given != commands.end());  // require_subcommand
  const bool port_given = app.get_option("--port")->count() > 0;
  auto endpoint = TakeEndpoint(port_given, &invocation.settings);
  if (!endpoint.ok()) return UsageError(endpoint.error().message);
  const Status taken =
      TakeCredentials(credentials, environment, endpoint.value().dtls, &invocation.settings);
  if (!taken.ok()) return UsageError(taken.error().message);
  auto run = given->make();
  if (!run.ok()) return UsageError(run.error().message);
  invocation.run = std::move(run).value();
  invocation.settings.timeout = std::chrono::seconds(timeout_s);
  return invocation;
}

}  // namespace collector::client
