#include "collector/store/elasticsearch/engine_check.h"

#include <map>

#include "tests/unit/catch.h"

namespace collector {
namespace {

constexpr const char* kOpenSearch =
    R"({"name":"n","version":{"distribution":"opensearch","number":"2.19.6"}})";
constexpr const char* kElasticsearch =
    R"({"name":"n","version":{"number":"8.19.21","build_flavor":"default"}})";
constexpr const char* kDurable =
    R"({".ds-x-000001":{"settings":{},"defaults":{"index.translog.durability":"REQUEST"}}})";

HttpResponse Answer(int status, const std::string& body) {
  return {.status = status, .error = "", .body = body, .request_body = ""};
}
HttpResponse Refused(const std::string& url) {
  return {.status = 0, .error = url + ": connection refused", .body = "", .request_body = ""};
}

// Answers by the beginning of the URL.
struct Script {
  std::map<std::string, HttpResponse> answers;
  std::vector<std::string> asked = {};
  int waits = 0;
  int waits_max = 3;

  Result<EngineFound> Find(const std::vector<std::string>& urls) {
    ElasticsearchOptions options;
    options.urls = urls;
    options.stream = "s";
    return FindEngine(
        options,
        [this](HttpRequest request) {
          asked.push_back(request.url);
          const auto found = answers.find(request.url.substr(0, request.url.find("/_settings")));
          return found == answers.end() ? Refused(request.url) : found->second;
        },
        [this] { return waits++ < waits_max; });
  }
};

}  // namespace

TEST_CASE("the engine that answers is named, and nothing is wrong with it") {
  Script script{
      .answers = {{"http://b/", Answer(200, kOpenSearch)}, {"http://b/s", Answer(200, kDurable)}}};
  const auto found = script.Find({"http://a", "http://b"});
  REQUIRE(found.ok());
  CHECK(found.value().url == "http://b");
  CHECK(found.value().name == "OpenSearch 2.19.6");
  CHECK(found.value().warnings.empty());
  CHECK(script.waits == 0);
  CHECK(script.asked.back() ==
        "http://b/s/_settings/index.translog.durability?include_defaults=true&flat_settings=true");
}

TEST_CASE("no engine: tried until the time is over, then one line that says what to check") {
  Script script;
  const auto found = script.Find({"http://a"});
  REQUIRE_FALSE(found.ok());
  CHECK(script.asked.size() == 4);
  CHECK(found.error().code == ErrorCode::kUnavailable);
  CHECK(found.error().message ==
        "http://a/: connection refused; check that the engine runs and --elasticsearch-url names "
        "it");
}

TEST_CASE("what is no engine is not taken for one") {
  for (const auto& [status, body] : std::map<int, std::string>{
           {200, "<html>"}, {401, "{}"}, {404, "not here"}, {503, R"({"error":"starting"})"}}) {
    Script script{.answers = {{"http://a/", Answer(status, body)}}};
    const auto found = script.Find({"http://a"});
    REQUIRE_FALSE(found.ok());
    CHECK(found.error().code == ErrorCode::kUnavailable);
    CHECK(found.error().message.find("http://a/") != std::string::npos);
  }
}

TEST_CASE("an engine that lets us write only is used") {
  Script script{.answers = {{"http://a/", Answer(403, "{}")}, {"http://a/s", Answer(403, "{}")}}};
  const auto found = script.Find({"http://a"});
  REQUIRE(found.ok());
  REQUIRE(found.value().warnings.size() == 1);
  CHECK(found.value().warnings[0].substr(0, 38) == "cannot see whether writes to s are dur");
}

TEST_CASE("a stream that is missing, or not durable, is warned of") {
  Script missing{
      .answers = {{"http://a/", Answer(200, kElasticsearch)}, {"http://a/s", Answer(404, "{}")}}};
  const auto without = missing.Find({"http://a"});
  REQUIRE(without.ok());
  CHECK(without.value().name == "Elasticsearch 8.19.21");
  CHECK(without.value().warnings ==
        std::vector<std::string>{"there is no data stream s yet: collector setup makes it"});

  Script async{
      .answers = {{"http://a/", Answer(200, kElasticsearch)},
                  {"http://a/s",
                   Answer(200, R"({"i1":{"settings":{"index.translog.durability":"request"}},)"
                               R"("i2":{"settings":{"index.translog.durability":"async"}}})")}}};
  const auto found = async.Find({"http://a"});
  REQUIRE(found.ok());
  REQUIRE(found.value().warnings.size() == 1);
  CHECK(found.value().warnings[0].substr(0, 48) ==
        "i2: index.translog.durability is not 'request': ");
}

}  // namespace collector
