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
