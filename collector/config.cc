#include "collector/config.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>

namespace collector {
namespace {

// The options as text and numbers, as CLI11 binds them, before they become a Config.
struct Raw {
  Config config;
  std::string coap_listen = "0.0.0.0:5683,[::]:5683";
  std::string http_listen = "127.0.0.1:8080";
  std::string log_format = "text";
  bool check = false;
  bool print = false;
};

std::string EnvironmentName(std::string flag) {
  for (char& c : flag) c = c == '-' ? '_' : static_cast<char>(std::toupper(c));
  return "COLLECTOR_" + flag;
}

template <typename Number>
void AddNumber(CLI::App* app, const std::string& name, Number* value, Number low, Number high,
               const std::string& text) {
  app->add_option(name, *value,
                  text + " (" + std::to_string(low) + " to " + std::to_string(high) + ")")
      ->check(CLI::Range(low, high).description(""));
}

void AddChoice(CLI::App* app, const std::string& name, std::string* value,
               const std::vector<std::string>& choices, const std::string& text) {
  app->add_option(name, *value, text + ": " + CLI::detail::join(choices, ", "))
      ->check(CLI::IsMember(choices).description(""));
}

void AddLimits(CLI::App* app, Config* config) {
  AddNumber<std::size_t>(app, "--pending-events-max", &config->pending_events_max, 1, 1'000'000,
                         "Accepted events that may wait for their commit; beyond it 5.03");
  AddNumber<std::size_t>(app, "--pending-bytes-max", &config->pending_bytes_max, 65'536, 1 << 30,
                         "Payload bytes that may wait for their commit; beyond it 5.03");
  AddNumber<std::size_t>(app, "--batch-events-max", &config->batch_events_max, 1, 100'000,
                         "Events in one commit");
  AddNumber<std::size_t>(app, "--payload-bytes-max", &config->payload_bytes_max, 128, 60'000,
                         "Largest payload of one request; beyond it 4.13");
  AddNumber<std::size_t>(app, "--dedup-entries-max", &config->dedup_entries_max, 16, 1 << 28,
                         "Exchanges remembered for 247 s, 32 bytes each; oldest out first");
  AddNumber<std::size_t>(app, "--receive-buffer-bytes", &config->receive_buffer_bytes, 65'536,
                         1 << 30, "Receive buffer asked of the system for each socket");
  AddNumber(app, "--drain-timeout-seconds", &config->drain_timeout_seconds, 1, 3'600,
            "How long after SIGTERM accepted events may take to be committed");
}

void AddOptions(CLI::App* app, Raw* raw) {
  Config& config = raw->config;
  app->add_option("--coap-listen", raw->coap_listen,
                  "Addresses that take CoAP over UDP, separated by commas; port 0: a free one");
  app->add_option("--http-listen", raw->http_listen,
                  "Address of /health, /livez, /readyz and /metrics");
  AddChoice(app, "--store", &config.store, {"sqlite"}, "Where events are kept");
  app->add_option("--sqlite-path", config.sqlite_path, "File of the sqlite store");
  AddLimits(app, &config);
  AddChoice(app, "--log-level", &config.log_level,
            {"trace", "debug", "info", "warn", "error", "off"}, "Least important lines written");
  AddChoice(app, "--log-format", &raw->log_format, {"text", "json"},
            "For people, or JSON lines with ECS names");
  AddNumber(app, "--log-requests-per-second-max", &config.log_requests_per_second_max, 0, 1'000'000,
            "Requests logged with a line each; the others of a second share one");
  for (CLI::Option* option : app->get_options()) {
    if (option->get_name() == "--help" || option->get_name() == "--version") continue;
    option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    option->type_name("")->capture_default_str();
  }
}

// The environment's values become flags before the given ones: the last one counts, and a file's
// value is used only where there is none.
std::vector<std::string> WithEnvironment(const CLI::App& app,
                                         const std::vector<std::string>& arguments,
                                         const Environment& environment) {
  std::vector<std::string> all;
  for (const CLI::Option* option : app.get_options()) {
    const std::string flag = option->get_name();
    if (flag == "--help") continue;
    if (const char* value = environment(EnvironmentName(flag.substr(2)).c_str())) {
      all.push_back(flag + "=" + value);
    }
  }
  all.insert(all.end(), arguments.begin(), arguments.end());
  std::reverse(all.begin(), all.end());  // as CLI11 takes them
  return all;
}

Result<Config> Finish(const Raw& raw) {
  Config config = raw.config;
  std::stringstream list(raw.coap_listen);
  for (std::string text; std::getline(list, text, ',');) {
    auto address = SocketAddress::Parse(text);
    if (!address.ok()) {
      return Error{ErrorCode::kConfig, "--coap-listen: " + address.error().message};
    }
    config.coap_listen.push_back(address.value());
  }
  if (config.coap_listen.empty()) {
    return Error{ErrorCode::kConfig, "--coap-listen: '" + raw.coap_listen + "' has no address"};
  }
  auto http = SocketAddress::Parse(raw.http_listen);
  if (!http.ok()) return Error{ErrorCode::kConfig, "--http-listen: " + http.error().message};
  config.http_listen = http.value();
  config.log_format = raw.log_format == "json" ? LogFormat::kJson : LogFormat::kText;
  if (config.sqlite_path.empty()) return Error{ErrorCode::kConfig, "--sqlite-path: '' is no file"};
  return config;
}

// One line, whatever CLI11 says.
std::string OneLine(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

// CLI11 names the key, not the file.
std::string FileError(const CLI::App& app, const std::string& what) {
  constexpr std::string_view kUnknown = "INI was not able to parse ";
  const std::string path = app.get_config_ptr()->as<std::string>();
  const bool unknown = what.starts_with(kUnknown);
  return path + ": " +
         (unknown ? "unknown key '" + what.substr(kUnknown.size()) + "'" : OneLine(what));
}

}  // namespace

Result<Invocation> ParseConfig(const std::vector<std::string>& arguments,
                               const Environment& environment) {
  Raw raw;
  CLI::App app(
      "Takes IoT events over CoAP and answers 2.01 when each is durably stored.\n\n"
      "  collector --sqlite-path /var/lib/coap-collector/events.db\n"
      "  client send temperature 21.5        (in another terminal)\n",
      "collector");
  app.set_version_flag("--version", std::string("coap-collector ") + COLLECTOR_VERSION);
  AddOptions(&app, &raw);
  app.set_config("--config", "", "TOML file with these options as keys, without the dashes")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.add_flag("--check-config", raw.check, "Check the configuration and end")->configurable(false);
  app.add_flag("--print-config", raw.print, "Print the configuration as a file and end")
      ->configurable(false);
  app.footer(
      "Each option is also an environment variable (--sqlite-path: COLLECTOR_SQLITE_PATH) and a\n"
      "key of the file (sqlite-path = \"...\"); flag > environment > file > default.\n"
      "Exit status: 0 drained after SIGTERM or SIGINT, 69 the store or an address cannot be used,\n"
      "78 bad configuration.");

  Invocation invocation;
  try {  // CLI11's own idiom; nothing of it passes this function
    app.parse(WithEnvironment(app, arguments, environment));
  } catch (const CLI::Success& asked) {
    std::ostringstream text;
    app.exit(asked, text, text);
    invocation.print = text.str();
    return invocation;
  } catch (const CLI::ConfigError& error) {
    return Error{ErrorCode::kConfig, FileError(app, error.what())};
  } catch (const CLI::ParseError& error) {
    return Error{ErrorCode::kConfig, OneLine(error.what())};
  }
  auto config = Finish(raw);
  if (!config.ok()) return config.error();
  invocation.config = std::move(config).value();
  if (raw.print) {
    invocation.print = app.config_to_str(true, false);
  } else if (raw.check) {
    invocation.print = "the configuration is good\n";
  }
  return invocation;
}

}  // namespace collector
