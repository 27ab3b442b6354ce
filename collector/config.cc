#include "collector/config.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <climits>
#include <fstream>
#include <regex>

#include "collector/base/manual.h"

namespace collector {
namespace {

// The options as text and numbers, as CLI11 binds them, before they become a Config.
struct Raw {
  Config config;
  std::string coap_listen = "0.0.0.0:5683,[::]:5683";
  std::string coaps_listen = "0.0.0.0:5684,[::]:5684";
  std::string http_listen = "127.0.0.1:8080";
  std::string log_format = "auto";
  std::string page = "on";
  std::string elasticsearch_url = config.elasticsearch.urls.front();
  std::string elasticsearch_flavor = "auto";
  std::string elasticsearch_verification = "full";
  std::string elasticsearch_compress = "true";
  bool check = false;
  bool print = false;
  std::string kibana_url;
  bool setup_check = false;
  bool setup_dry_run = false;
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
                         "Events in one commit, or in one _bulk request");
  AddNumber<std::size_t>(app, "--payload-bytes-max", &config->payload_bytes_max, 128, 60'000,
                         "Largest payload of one message; beyond it 4.13");
  AddNumber<std::size_t>(app, "--body-bytes-max", &config->body_bytes_max, 128, 1 << 20,
                         "Largest body sent in blocks; beyond it 4.13");
  AddNumber<std::size_t>(app, "--bodies-max", &config->bodies_max, 1, 4'096,
                         "Bodies in blocks that may be under way; beyond it 5.03");
  AddNumber<std::size_t>(app, "--dedup-entries-max", &config->dedup_entries_max, 16, 1 << 28,
                         "Exchanges remembered for 247 s, 32 bytes each; oldest out first");
  AddNumber<std::size_t>(app, "--receive-buffer-bytes", &config->receive_buffer_bytes, 65'536,
                         1 << 30, "Receive buffer asked of the system for each socket");
  AddNumber<std::uint32_t>(app, "--requests-per-second-per-peer-max",
                           &config->requests_per_second_per_peer_max, 0, 1'000'000,
                           "Requests a second from one IP address; beyond it 4.29; 0: any number");
  app->add_flag("--content-format-required", config->content_format_required,
                "Answer 4.15 to a request that names no Content-Format, instead of taking it as "
                "JSON");
  app->add_flag("--require-echo", config->require_echo,
                "Process no request over plain CoAP before its address is proven (RFC 9175)");
  app->add_option("--access-file", config->access_file,
                  "Who may write what: WHO NAMESPACE SENDER ORIGIN a line; without, all may all");
  AddNumber(app, "--drain-timeout-seconds", &config->drain_timeout_seconds, 1, 3'600,
            "How long after SIGTERM accepted events may take to be committed");
}

void AddCoaps(CLI::App* app, Raw* raw) {
  DtlsOptions* dtls = &raw->config.dtls;
  CertificateFiles* files = &dtls->files.certificates;
  app->add_option("--coaps-listen", raw->coaps_listen,
                  "Addresses that take CoAP over DTLS; needs --psk-file or --tls-certificate-file");
  app->add_option("--psk-file", dtls->files.psk,
                  "Pre-shared keys, identity:key a line, the key hexadecimal or base64");
  app->add_option("--tls-certificate-file", files->certificate, "Our certificate chain (PEM)");
  app->add_option("--tls-key-file", files->key, "Its key (PEM)");
  app->add_option("--tls-client-ca-file", files->client_ca,
                  "Authorities (PEM) of the certificates that clients must then have");
  app->add_option("--tls-revocation-file", files->revocation, "Their revocation lists (PEM)");
  AddNumber<std::size_t>(app, "--coaps-sessions-max", &dtls->sessions_max, 1, 1'000'000,
                         "DTLS sessions; beyond it the one that was silent longest ends");
  AddNumber<std::size_t>(app, "--coaps-handshakes-max", &dtls->handshakes_max, 1, 100'000,
                         "DTLS handshakes under way; beyond it new ones wait");
  AddNumber<std::int64_t>(app, "--coaps-idle-seconds-max", &dtls->idle_seconds_max, 1, 604'800,
                          "How long a DTLS session may be silent before it ends");
}

void AddPage(CLI::App* app, Raw* raw) {
  PageOptions* limits = &raw->config.page_limits;
  AddChoice(app, "--page", &raw->page, {"on", "off"}, "Whether HTTP has the page for people");
  AddNumber<std::int64_t>(app, "--page-query-ms-max", &limits->query_ms_max, 1, 600'000,
                          "How long a query of the page may take; beyond it 503");
  AddNumber<std::int64_t>(app, "--page-export-rows-max", &limits->export_rows_max, 1, 1'000'000'000,
                          "Events in one download");
  AddNumber(app, "--page-export-seconds-max", &limits->export_seconds_max, 1, 86'400,
            "How long a download may take");
  AddNumber<std::size_t>(app, "--page-live-max", &limits->live_max, 1, 512,
                         "Open pages that are kept up to date, a thread each");
}

void AddElasticsearchAccess(CLI::App* app, Raw* raw) {
  ElasticsearchOptions& options = raw->config.elasticsearch;
  HttpClientOptions& http = options.http;
  app->add_option("--elasticsearch-url", raw->elasticsearch_url,
                  "Elasticsearch or OpenSearch, http or https; several separated by commas");
  app->add_option("--elasticsearch-stream", options.stream, "Data stream of the events");
  AddChoice(app, "--elasticsearch-flavor", &raw->elasticsearch_flavor,
            {"auto", "elasticsearch", "opensearch"}, "Which engine it is; auto asks it");
  app->add_option("--elasticsearch-user", http.user, "User of basic authentication");
  app->add_option("--elasticsearch-password-file", http.password_file, "File with its password");
  app->add_option("--elasticsearch-api-key-file", http.api_key_file,
                  "File with an API key: id:key, or its base64");
  app->add_option("--elasticsearch-bearer-file", http.bearer_file, "File with a bearer token");
  app->add_option("--elasticsearch-ca-file", http.ca_file,
                  "Certificates (PEM) to trust instead of the system's");
  app->add_option("--elasticsearch-certificate-file", http.certificate_file,
                  "Our own certificate (PEM)");
  app->add_option("--elasticsearch-key-file", http.key_file, "Its key (PEM)");
  AddChoice(app, "--elasticsearch-verification", &raw->elasticsearch_verification,
            {"full", "certificate", "none"}, "What of the engine's certificate is verified");
}

void AddElasticsearchLimits(CLI::App* app, Raw* raw) {
  ElasticsearchOptions* options = &raw->config.elasticsearch;
  constexpr std::int64_t kHourMs = 3'600'000;
  AddNumber<std::int64_t>(app, "--elasticsearch-connect-timeout-ms",
                          &options->http.connect_timeout_ms, 1, kHourMs, "To connect");
  AddNumber<std::int64_t>(app, "--elasticsearch-request-timeout-ms", &options->request_timeout_ms,
                          1, kHourMs, "For one request and its whole answer");
  AddChoice(app, "--elasticsearch-compress", &raw->elasticsearch_compress, {"true", "false"},
            "Whether requests are compressed");
  AddNumber(app, "--elasticsearch-start-timeout-seconds", &options->start_timeout_seconds, 1, 3'600,
            "How long at start the engine may be away");
  AddNumber<std::size_t>(app, "--elasticsearch-batch-bytes-max", &options->batch_bytes_max, 1'024,
                         1 << 30, "Bytes of one _bulk request, before compression");
  AddNumber(app, "--elasticsearch-requests-in-flight-max", &options->requests_in_flight_max, 1, 64,
            "_bulk requests under way at a time");
  AddNumber<std::int64_t>(app, "--elasticsearch-event-deadline-ms", &options->event_deadline_ms, 1,
                          90'000, "An event not stored by then is answered 5.03");
  AddNumber<std::int64_t>(app, "--elasticsearch-retry-ms-min", &options->retry_ms_min, 1, 60'000,
                          "First pause before a retry, doubled each time");
  AddNumber<std::int64_t>(app, "--elasticsearch-retry-ms-max", &options->retry_ms_max, 1, 60'000,
                          "Longest pause before a retry");
  AddNumber(app, "--elasticsearch-breaker-failures", &options->breaker_failures, 1, 1'000,
            "Failed requests in a row after which events are answered 5.03 at once");
  AddNumber<std::int64_t>(app, "--elasticsearch-breaker-probe-ms", &options->breaker_probe_ms, 1,
                          60'000, "Pause between tries whether the engine is back");
}

void AddOptions(CLI::App* app, Raw* raw) {
  Config& config = raw->config;
  app->add_option("--coap-listen", raw->coap_listen,
                  "Addresses that take CoAP over UDP, separated by commas; port 0: a free one");
  AddCoaps(app, raw);
  app->add_option("--http-listen", raw->http_listen,
                  "Address of the page, /health, /livez, /readyz and /metrics");
  app->add_option("--http-token-file", config.http_token_file,
                  "File with a token that the page and /metrics ask for");
  AddChoice(app, "--store", &config.store, {"sqlite", "elasticsearch"}, "Where events are kept");
  app->add_option("--sqlite-path", config.sqlite_path, "File of the sqlite store");
  AddElasticsearchAccess(app, raw);
  AddElasticsearchLimits(app, raw);
  AddLimits(app, &config);
  AddPage(app, raw);
  AddNumber(app, "--processes", &config.processes, 1, 256,
            "Collectors that share the addresses, each with the limits above");
  AddChoice(app, "--log-level", &config.log_level,
            {"trace", "debug", "info", "warn", "error", "off"}, "Least important lines written");
  AddChoice(
      app, "--log-format", &raw->log_format, {"auto", "text", "json"},
      "For people, or JSON lines with ECS names; auto: text on a terminal and in the journal");
  AddNumber(app, "--log-requests-per-second-max", &config.log_requests_per_second_max, 0, 1'000'000,
            "Requests logged with a line each; the others of a second share one");
  AddNumber(app, "--request-metrics-per-second-max", &config.request_metrics_per_second_max, 0,
            1'000, "Requests sampled into the engine's stream of request metrics; 0: none");
  app->add_option("--replica", config.replica,
                  "This collector's name in request metrics; else the host's");
  for (CLI::Option* option : app->get_options()) {
    if (option->get_name() == "--help" || option->get_name() == "--version") continue;
    option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    option->type_name("")->capture_default_str();
    if (option->get_name().starts_with("--elasticsearch-")) {
      option->group("With --store elasticsearch, and for setup");
    }
  }
}

void AddSetup(CLI::App* app, Raw* raw) {
  CLI::App* setup = app->add_subcommand(
      "setup", "Prepare Elasticsearch or OpenSearch for --store elasticsearch, and end");
  setup->fallthrough()->configurable(false);
  CLI::Option* check =
      setup->add_flag("--check", raw->setup_check, "Only say what is missing or differs");
  setup->add_flag("--dry-run", raw->setup_dry_run, "Only print the requests; needs no engine")
      ->excludes(check);
  setup
      ->add_option("--kibana", raw->kibana_url,
                   "Kibana or OpenSearch Dashboards, http or https: gets data views and dashboards")
      ->type_name("URL")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  setup->footer(
      "Installs index templates, data streams and, where the engine offers them, lifecycle\n"
      "policies. A second time changes nothing. Takes the options --config and "
      "--elasticsearch-...\n"
      "of collector --help, too.\n"
      "Exit status: 0 all is as wanted, 1 something differs or was refused, 69 the engine cannot\n"
      "be reached, 77 it does not let this user or key, 78 bad configuration.");
}

// The environment's values become flags before the given ones: the last one counts, and a file's
// value is used only where there is none.
std::vector<std::string> WithEnvironment(const CLI::App& app,
                                         const std::vector<std::string>& arguments,
                                         const Environment& environment) {
  std::vector<std::string> all;
  for (const CLI::Option* option : app.get_options()) {
    const std::string flag = option->get_name();
    if (flag.empty() || flag == "--help") continue;  // CLI11 gives a hidden one no name
    if (const char* value = environment(EnvironmentName(flag.substr(2)).c_str())) {
      all.push_back(flag + "=" + value);
    }
  }
  all.insert(all.end(), arguments.begin(), arguments.end());
  std::reverse(all.begin(), all.end());  // as CLI11 takes them
  return all;
}

Error Bad(const std::string& field, const std::string& value, const std::string& what) {
  return {ErrorCode::kConfig, field + ": '" + value + "' " + what};
}

// Never shows a text that may hold a password.
Result<std::vector<std::string>> ParseUrls(const std::string& field, const std::string& list) {
  static const std::regex kUrl(
      R"(https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:([0-9]{1,5}))?(/[A-Za-z0-9._~/-]*)?)");
  std::vector<std::string> urls;
  std::stringstream stream(list);
  for (std::string url; std::getline(stream, url, ',');) {
    if (url.find('@') != std::string::npos) {
      return Error{ErrorCode::kConfig, field +
                                           ": a URL holds a user; give it by --elasticsearch-user "
                                           "and --elasticsearch-password-file"};
    }
    std::smatch parts;
    if (!std::regex_match(url, parts, kUrl)) {
      return Bad(field, url, "is not http://host:port or https://host:port, or with a /prefix");
    }
    if (parts[3].matched && (std::stoi(parts[3]) < 1 || std::stoi(parts[3]) > 65'535)) {
      return Bad(field, url, "has no port from 1 to 65535");
    }
    while (url.back() == '/') url.pop_back();
    urls.push_back(url);
  }
  if (urls.empty()) return Bad(field, list, "has no URL");
  return urls;
}

// The secrets' variables are no options: neither a flag nor a file that is shown may hold them.
void TakeSecrets(const Environment& environment, Config* config) {
  const auto take = [&](const char* name, std::string* value) {
    if (const char* secret = environment(name)) *value = secret;
  };
  HttpClientOptions& http = config->elasticsearch.http;
  take("COLLECTOR_ELASTICSEARCH_PASSWORD", &http.password);
  take("COLLECTOR_ELASTICSEARCH_API_KEY", &http.api_key);
  take("COLLECTOR_ELASTICSEARCH_BEARER", &http.bearer);
  take("COLLECTOR_HTTP_TOKEN", &config->http_token);
}

// At most one kind of credentials, each of them whole and given once.
Status CheckCredentials(const HttpClientOptions& http) {
  struct Secret {
    std::string variable, value, option, file;
  };
  const std::array<Secret, 3> secrets = {{
      {"COLLECTOR_ELASTICSEARCH_PASSWORD", http.password, "--elasticsearch-password-file",
       http.password_file},
      {"COLLECTOR_ELASTICSEARCH_API_KEY", http.api_key, "--elasticsearch-api-key-file",
       http.api_key_file},
      {"COLLECTOR_ELASTICSEARCH_BEARER", http.bearer, "--elasticsearch-bearer-file",
       http.bearer_file},
  }};
  std::string given;  // the option or variable with the credentials seen so far
  for (const auto& [variable, value, option, file] : secrets) {
    if (!value.empty() && !file.empty()) {
      return Bad(option, file, "and " + variable + " exclude each other");
    }
    if (value.empty() && file.empty()) continue;
    const std::string name = file.empty() ? variable : option + " '" + file + "'";
    if (!given.empty()) {
      return Error{ErrorCode::kConfig, name + " and " + given + " exclude each other"};
    }
    given = name;
  }
  const bool password = !http.password.empty() || !http.password_file.empty();
  if (password && http.user.empty()) {
    return Error{ErrorCode::kConfig, given + " needs --elasticsearch-user"};
  }
  if (!password && !http.user.empty()) {
    return Bad("--elasticsearch-user", http.user,
               "needs --elasticsearch-password-file or COLLECTOR_ELASTICSEARCH_PASSWORD");
  }
  if (!http.certificate_file.empty() && http.key_file.empty()) {
    return Bad("--elasticsearch-certificate-file", http.certificate_file,
               "needs --elasticsearch-key-file");
  }
  if (http.certificate_file.empty() && !http.key_file.empty()) {
    return Bad("--elasticsearch-key-file", http.key_file, "needs --elasticsearch-certificate-file");
  }
  return Ok{};
}

Result<ElasticsearchOptions> FinishElasticsearch(const Raw& raw) {
  ElasticsearchOptions options = raw.config.elasticsearch;
  auto urls = ParseUrls("--elasticsearch-url", raw.elasticsearch_url);
  if (!urls.ok()) return urls.error();
  options.urls = std::move(urls).value();
  static const std::regex kStream("[a-z0-9][a-z0-9._-]{0,200}");  // needs no escape in a URL
  if (!std::regex_match(options.stream, kStream)) {
    return Bad("--elasticsearch-stream", options.stream,
               "is not a name of small letters, digits, '.', '_' and '-'");
  }
  options.flavor = raw.elasticsearch_flavor == "elasticsearch" ? Flavor::kElasticsearch
                   : raw.elasticsearch_flavor == "opensearch"  ? Flavor::kOpenSearch
                                                               : Flavor::kAuto;
  options.http.verification = raw.elasticsearch_verification == "none" ? TlsVerification::kNone
                              : raw.elasticsearch_verification == "certificate"
                                  ? TlsVerification::kCertificate
                                  : TlsVerification::kFull;
  options.http.compress = raw.elasticsearch_compress == "true";
  if (options.retry_ms_min > options.retry_ms_max) {
    return Bad(
        "--elasticsearch-retry-ms-min", std::to_string(options.retry_ms_min),
        "is more than --elasticsearch-retry-ms-max '" + std::to_string(options.retry_ms_max) + "'");
  }
  options.batch_events_max = raw.config.batch_events_max;
  if (Status checked = CheckCredentials(options.http); !checked.ok()) return checked.error();
  return options;
}

Result<std::string> FinishKibana(const Raw& raw) {
  if (raw.kibana_url.empty()) return std::string();
  auto urls = ParseUrls("--kibana", raw.kibana_url);
  if (!urls.ok()) return urls.error();
  if (urls.value().size() > 1) return Bad("--kibana", raw.kibana_url, "is more than one URL");
  return urls.value().front();
}

std::string HostName() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || name[0] == 0) return "unknown";
  return name.data();
}

Result<std::vector<SocketAddress>> ParseAddresses(const std::string& field,
                                                  const std::string& list) {
  std::vector<SocketAddress> addresses;
  std::stringstream stream(list);
  for (std::string text; std::getline(stream, text, ',');) {
    auto address = SocketAddress::Parse(text);
    if (!address.ok()) return Error{ErrorCode::kConfig, field + ": " + address.error().message};
    addresses.push_back(address.value());
  }
  if (addresses.empty()) return Bad(field, list, "has no address");
  return addresses;
}

// Where CoAPs is taken: nowhere as long as there are no keys.
Result<std::vector<SocketAddress>> FinishCoaps(const Raw& raw) {
  const DtlsKeyFiles& keys = raw.config.dtls.files;
  const CertificateFiles& files = keys.certificates;
  if (files.certificate.empty() && !files.key.empty()) {
    return Bad("--tls-key-file", files.key, "needs --tls-certificate-file");
  }
  if (!files.certificate.empty() && files.key.empty()) {
    return Bad("--tls-certificate-file", files.certificate, "needs --tls-key-file");
  }
  if (files.certificate.empty() && !files.client_ca.empty()) {
    return Bad("--tls-client-ca-file", files.client_ca, "needs --tls-certificate-file");
  }
  if (files.client_ca.empty() && !files.revocation.empty()) {
    return Bad("--tls-revocation-file", files.revocation, "needs --tls-client-ca-file");
  }
  auto addresses = ParseAddresses("--coaps-listen", raw.coaps_listen);
  if (!addresses.ok()) return addresses.error();
  const bool has_keys = !keys.psk.empty() || !files.certificate.empty();
  return has_keys ? std::move(addresses).value() : std::vector<SocketAddress>();
}

Result<Config> Finish(const Raw& raw) {
  Config config = raw.config;
  auto coap = ParseAddresses("--coap-listen", raw.coap_listen);
  if (!coap.ok()) return coap.error();
  config.coap_listen = std::move(coap).value();
  auto coaps = FinishCoaps(raw);
  if (!coaps.ok()) return coaps.error();
  config.coaps_listen = std::move(coaps).value();
  auto http = SocketAddress::Parse(raw.http_listen);
  if (!http.ok()) return Error{ErrorCode::kConfig, "--http-listen: " + http.error().message};
  config.http_listen = http.value();
  if (!config.http_token.empty() && !config.http_token_file.empty()) {
    return Bad("--http-token-file", config.http_token_file,
               "and COLLECTOR_HTTP_TOKEN exclude each other");
  }
  if (config.http_listen.port() + config.processes - 1 > 65'535) {
    return Bad("--http-listen", raw.http_listen, "leaves no port to each of --processes");
  }
  config.log_format = raw.log_format == "json"   ? LogFormat::kJson
                      : raw.log_format == "text" ? LogFormat::kText
                                                 : LogFormat::kAuto;
  config.page = raw.page == "on";
  if (config.sqlite_path.empty()) return Error{ErrorCode::kConfig, "--sqlite-path: '' is no file"};
  auto elasticsearch = FinishElasticsearch(raw);
  if (!elasticsearch.ok()) return elasticsearch.error();
  config.elasticsearch = std::move(elasticsearch).value();
  if (config.replica.empty()) config.replica = HostName();
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
  TakeSecrets(environment, &raw.config);
  CLI::App app(
      "Takes IoT events over CoAP and answers 2.01 when each is durably stored.\n\n"
      "  collector --sqlite-path /var/lib/coap-collector/events.db\n"
      "  client send temperature 21.5        (in another terminal)\n",
      "collector");
  app.set_version_flag("--version", std::string("coap-collector ") + COLLECTOR_VERSION);
  AddManualFlag(&app);
  AddOptions(&app, &raw);
  app.set_config("--config", "", "TOML file with these options as keys, without the dashes")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.add_flag("--check-config", raw.check, "Check the configuration and end")->configurable(false);
  app.add_flag("--print-config", raw.print, "Print the configuration as a file and end")
      ->configurable(false);
  AddSetup(&app, &raw);
  app.footer(
      "Each option is also an environment variable (--sqlite-path: COLLECTOR_SQLITE_PATH) and a\n"
      "key of the file (sqlite-path = \"...\"); flag > environment > file > default.\n"
      "Secrets come from files or from COLLECTOR_ELASTICSEARCH_PASSWORD, _API_KEY or _BEARER,\n"
      "and COLLECTOR_HTTP_TOKEN.\n"
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
  if (app.got_subcommand("setup")) {
    invocation.setup = raw.setup_dry_run ? SetupMode::kDryRun
                       : raw.setup_check ? SetupMode::kCheck
                                         : SetupMode::kApply;
    auto kibana = FinishKibana(raw);
    if (!kibana.ok()) return kibana.error();
    invocation.kibana_url = std::move(kibana).value();
  }
  if (raw.print) {
    invocation.print = app.config_to_str(true, false);
  } else if (raw.check) {
    invocation.print = "the configuration is good\n";
  }
  return invocation;
}

}  // namespace collector
