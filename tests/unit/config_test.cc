#include "collector/config.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>

#include "tests/unit/catch.h"

namespace collector {
namespace {

Result<Invocation> Parse(const std::vector<std::string>& arguments,
                         const std::map<std::string, std::string>& environment = {}) {
  return ParseConfig(arguments, [&](const char* name) -> const char* {
    const auto found = environment.find(name);
    return found == environment.end() ? nullptr : found->second.c_str();
  });
}

// A configuration file that is gone with its test.
class ConfigFile {
 public:
  explicit ConfigFile(const std::string& text)
      : path_(std::filesystem::temp_directory_path() /
              ("collector-config-" + std::to_string(getpid()) + ".toml")) {
    std::ofstream(path_) << text;
  }
  ~ConfigFile() { std::filesystem::remove(path_); }
  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

std::string ErrorOf(const Result<Invocation>& result) {
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().code == ErrorCode::kConfig);
  CHECK(result.error().message.find('\n') == std::string::npos);
  return result.error().message;
}

}  // namespace

TEST_CASE("the defaults") {
  const auto parsed = Parse({});
  REQUIRE(parsed.ok());
  const Config& config = parsed.value().config;
  REQUIRE(config.coap_listen.size() == 2);
  CHECK(config.coap_listen[0].ToString() == "0.0.0.0:5683");
  CHECK(config.coap_listen[1].ToString() == "[::]:5683");
  CHECK(config.http_listen.ToString() == "127.0.0.1:8080");
  CHECK_FALSE(parsed.value().print.has_value());
  CHECK_FALSE(config.replica.empty());  // the host's name
}

TEST_CASE("flag before environment before file before default") {
  const ConfigFile file("sqlite-path = \"file\"\nlog-level = \"warn\"\nbatch-events-max = 7\n");
  const auto parsed =
      Parse({"--config", file.path(), "--sqlite-path", "flag"},
            {{"COLLECTOR_SQLITE_PATH", "environment"}, {"COLLECTOR_LOG_LEVEL", "error"}});
  REQUIRE(parsed.ok());
  CHECK(parsed.value().config.sqlite_path == "flag");
  CHECK(parsed.value().config.log_level == "error");
  CHECK(parsed.value().config.batch_events_max == 7);
  CHECK(parsed.value().config.store == "sqlite");
}

TEST_CASE("the file may be named by the environment") {
  const ConfigFile file("sqlite-path = \"file\"\n");
  const auto parsed = Parse({}, {{"COLLECTOR_CONFIG", file.path()}});
  REQUIRE(parsed.ok());
  CHECK(parsed.value().config.sqlite_path == "file");
}

TEST_CASE("what is wrong is named, with its value, in one line") {
  CHECK_THAT(ErrorOf(Parse({"--pending-events-max", "many"})),
             Catch::Matchers::ContainsSubstring("--pending-events-max") &&
                 Catch::Matchers::ContainsSubstring("many"));
  CHECK_THAT(ErrorOf(Parse({"--pending-events-max", "0"})),
             Catch::Matchers::ContainsSubstring("--pending-events-max"));
  CHECK_THAT(ErrorOf(Parse({"--coap-listen", "localhost"})),
             Catch::Matchers::ContainsSubstring("--coap-listen: 'localhost' is not an address"));
  CHECK_THAT(ErrorOf(Parse({"--coap-listen", ""})),
             Catch::Matchers::ContainsSubstring("--coap-listen"));
  CHECK_THAT(ErrorOf(Parse({"--http-listen", "127.0.0.1:99999"})),
             Catch::Matchers::ContainsSubstring("--http-listen"));
  CHECK_THAT(ErrorOf(Parse({"--store", "mongo"})), Catch::Matchers::ContainsSubstring("mongo"));
  CHECK_THAT(ErrorOf(Parse({"--log-level", "loud"})), Catch::Matchers::ContainsSubstring("loud"));
  CHECK_THAT(ErrorOf(Parse({"--no-such-option"})),
             Catch::Matchers::ContainsSubstring("--no-such-option"));
  CHECK_THAT(ErrorOf(Parse({}, {{"COLLECTOR_LOG_FORMAT", "xml"}})),
             Catch::Matchers::ContainsSubstring("xml"));
  CHECK_THAT(ErrorOf(Parse({"--config", "/no/such/file"})),
             Catch::Matchers::ContainsSubstring("/no/such/file"));
  const ConfigFile file("sqlite-paht = \"x\"\n");
  CHECK_THAT(ErrorOf(Parse({"--config", file.path()})),
             Catch::Matchers::ContainsSubstring("sqlite-paht") &&
                 Catch::Matchers::ContainsSubstring(file.path()));
}

TEST_CASE("options of elasticsearch") {
  const auto parsed =
      Parse({"--store", "elasticsearch", "--elasticsearch-url",
             "https://a.example:9243/es/,http://[::1]:9200,http://b/", "--elasticsearch-flavor",
             "opensearch", "--elasticsearch-user", "writer", "--elasticsearch-verification",
             "certificate", "--elasticsearch-compress", "false", "--batch-events-max", "9"},
            {{"COLLECTOR_ELASTICSEARCH_PASSWORD", "secret"},
             {"COLLECTOR_ELASTICSEARCH_API_KEY", ""},
             {"COLLECTOR_ELASTICSEARCH_REQUESTS_IN_FLIGHT_MAX", "4"}});
  REQUIRE(parsed.ok());
  const ElasticsearchOptions& options = parsed.value().config.elasticsearch;
  CHECK(parsed.value().config.store == "elasticsearch");
  CHECK(options.urls ==
        std::vector<std::string>{"https://a.example:9243/es", "http://[::1]:9200", "http://b"});
  CHECK(options.flavor == Flavor::kOpenSearch);
  CHECK(options.http.user == "writer");
  CHECK(options.http.password == "secret");
  CHECK(options.http.api_key.empty());
  CHECK(options.http.verification == TlsVerification::kCertificate);
  CHECK_FALSE(options.http.compress);
  CHECK(options.batch_events_max == 9);
  CHECK(options.requests_in_flight_max == 4);
}

TEST_CASE("what is wrong with an engine's address or stream is named") {
  const auto url = [](const std::string& text) {
    return ErrorOf(Parse({"--elasticsearch-url", text}));
  };
  for (const char* bad :
       {"localhost:9200", "ftp://host", "http://", "http://host:0", "http://host:99999",
        "http://host/?q=1", "http://host/#f", "http://ho st", "http://a,,http://b", ""}) {
    INFO(bad);
    CHECK_THAT(url(bad), Catch::Matchers::StartsWith("--elasticsearch-url: '"));
  }
  const std::string user = url("http://name:hush@host:9200");
  CHECK_THAT(user, Catch::Matchers::ContainsSubstring("--elasticsearch-user"));
  CHECK_THAT(user, !Catch::Matchers::ContainsSubstring("hush"));
  for (const char* bad : {"", "Upper", "a/b", ".hidden", "_all", "a b", "-x", "a,b", "a*"}) {
    INFO(bad);
    CHECK_THAT(ErrorOf(Parse({"--elasticsearch-stream", bad})),
               Catch::Matchers::StartsWith("--elasticsearch-stream: '" + std::string(bad) + "'"));
  }
}

TEST_CASE("credentials that contradict each other or are not whole") {
  using Arguments = std::vector<std::string>;
  using Variables = std::map<std::string, std::string>;
  const std::string user = "--elasticsearch-user", password = "--elasticsearch-password-file",
                    key = "--elasticsearch-api-key-file", bearer = "--elasticsearch-bearer-file";
  struct Case {
    Arguments arguments;
    Variables environment;
    std::string shows, shows_too;
  };
  const std::vector<Case> cases = {
      {{user, "u"}, {}, "--elasticsearch-user: 'u'", password},
      {{password, "p"}, {}, password + " 'p'", user},
      {{}, {{"COLLECTOR_ELASTICSEARCH_PASSWORD", "s3c"}}, "COLLECTOR_ELASTICSEARCH_PASSWORD", user},
      {{user, "u", password, "p", key, "k"}, {}, key + " 'k'", password + " 'p'"},
      {{key, "k", bearer, "b"}, {}, key + " 'k'", bearer + " 'b'"},
      {{key, "k"}, {{"COLLECTOR_ELASTICSEARCH_BEARER", "s3c"}}, key, "_BEARER"},
      {{key, "k"}, {{"COLLECTOR_ELASTICSEARCH_API_KEY", "s3c"}}, key + ": 'k'", "_API_KEY"},
      {{"--elasticsearch-certificate-file", "c"}, {}, "'c'", "--elasticsearch-key-file"},
      {{"--elasticsearch-key-file", "k"}, {}, "'k'", "--elasticsearch-certificate-file"},
      {{"--elasticsearch-retry-ms-min", "500", "--elasticsearch-retry-ms-max", "400"},
       {},
       "--elasticsearch-retry-ms-min: '500'",
       "'400'"},
  };
  for (const Case& one : cases) {
    INFO(one.shows);
    const std::string error = ErrorOf(Parse(one.arguments, one.environment));
    CHECK_THAT(error, Catch::Matchers::ContainsSubstring(one.shows));
    CHECK_THAT(error, Catch::Matchers::ContainsSubstring(one.shows_too));
    CHECK_THAT(error, !Catch::Matchers::ContainsSubstring("s3c"));
  }
}

TEST_CASE("secrets come from the environment only and are not printed") {
  const auto printed = Parse({"--elasticsearch-user", "u", "--print-config"},
                             {{"COLLECTOR_ELASTICSEARCH_PASSWORD", "s3c"}});
  REQUIRE(printed.ok());
  CHECK_THAT(*printed.value().print, !Catch::Matchers::ContainsSubstring("s3c"));
  CHECK_THAT(ErrorOf(Parse({"--elasticsearch-password", "x"})),
             Catch::Matchers::ContainsSubstring("--elasticsearch-password"));
  const ConfigFile file("elasticsearch-password = \"x\"\n");
  CHECK_THAT(ErrorOf(Parse({"--config", file.path()})),
             Catch::Matchers::ContainsSubstring("elasticsearch-password"));
}

TEST_CASE("setup takes the same options, before or after its name") {
  CHECK_FALSE(Parse({}).value().setup.has_value());
  CHECK(Parse({"setup"}).value().setup == SetupMode::kApply);
  CHECK(Parse({"setup", "--check"}).value().setup == SetupMode::kCheck);
  CHECK(Parse({"setup", "--dry-run"}).value().setup == SetupMode::kDryRun);
  const ConfigFile file("elasticsearch-stream = \"from-file\"\n");
  const auto parsed = Parse({"--elasticsearch-flavor", "opensearch", "setup", "--config",
                             file.path(), "--elasticsearch-url", "https://flag"},
                            {{"COLLECTOR_ELASTICSEARCH_URL", "https://environment"},
                             {"COLLECTOR_ELASTICSEARCH_RETRY_MS_MIN", "7"}});
  REQUIRE(parsed.ok());
  const ElasticsearchOptions& options = parsed.value().config.elasticsearch;
  CHECK(options.flavor == Flavor::kOpenSearch);
  CHECK(options.stream == "from-file");
  CHECK(options.urls == std::vector<std::string>{"https://flag"});
  CHECK(options.retry_ms_min == 7);
  CHECK_THAT(ErrorOf(Parse({"setup", "--check", "--dry-run"})),
             Catch::Matchers::ContainsSubstring("--check"));
  CHECK_THAT(ErrorOf(Parse({"--dry-run"})), Catch::Matchers::ContainsSubstring("--dry-run"));
  CHECK_THAT(ErrorOf(Parse({"setup", "--nothing"})),
             Catch::Matchers::ContainsSubstring("--nothing"));
  CHECK_THAT(*Parse({"setup", "--help"}).value().print,
             Catch::Matchers::ContainsSubstring("--dry-run"));
}

TEST_CASE("the printed configuration reads back as the same") {
  const auto printed = Parse({"--batch-events-max", "9", "--log-format", "json", "--print-config"});
  REQUIRE(printed.ok());
  REQUIRE(printed.value().print.has_value());
  const ConfigFile file(*printed.value().print);
  const auto parsed = Parse({"--config", file.path()});
  REQUIRE(parsed.ok());
  CHECK(parsed.value().config.batch_events_max == 9);
  CHECK(parsed.value().config.log_format == LogFormat::kJson);
}

}  // namespace collector
