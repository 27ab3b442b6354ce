#include "collector/store/elasticsearch/installation.h"

#include <algorithm>
#include <map>

#include "tests/unit/catch.h"

namespace collector {
namespace {

using nlohmann::json;

constexpr const char* kUrl = "http://engine:9200/es";
constexpr const char* kEvents = "metrics-coap.events-default";

HttpResponse Answer(int status, const json& body) {
  return {.status = status, .error = "", .body = body.dump(), .request_body = ""};
}

HttpResponse NotFound() { return Answer(404, {{"error", {{"type", "resource_not_found"}}}}); }

// Numbers and booleans come back as text from an engine's settings.
json AsSettings(const json& value) {
  if (value.is_object()) {
    json all = json::object();
    for (const auto& [key, inner] : value.items()) all[key] = AsSettings(inner);
    return all;
  }
  return value.is_string() ? value : json(value.dump());
}

// Keeps what it is given, and returns it as engines do: with defaults added.
class FakeEngine {
 public:
  explicit FakeEngine(bool lifecycle = true) : lifecycle_(lifecycle) {}

  Exchange exchange() {
    return [this](HttpRequest request) { return Handle(request); };
  }

  std::map<std::string, json> policies, templates, mappings;  // mappings: by data stream
  std::vector<std::string> changes;                           // paths that were put
  std::map<std::string, HttpResponse> scripted;               // by method and path

 private:
  HttpResponse Handle(const HttpRequest& request) {
    CHECK(request.url.starts_with(kUrl));
    const std::string path = request.url.substr(std::string(kUrl).size());
    if (const auto found = scripted.find(request.method + " " + path); found != scripted.end()) {
      return found->second;
    }
    if (request.method == "PUT") {
      changes.push_back(path);
      CHECK(request.content_type == (request.body.empty() ? "" : "application/json"));
      Put(path, request.body.empty() ? json() : json::parse(request.body));
      return Answer(200, {{"acknowledged", true}});
    }
    CHECK(request.method == "GET");
    return Get(path);
  }

  void Put(const std::string& path, const json& body) {
    const std::string name = path.substr(path.rfind('/') + 1);
    if (path.find("polic") != std::string::npos) {
      policies[name] = body;
    } else if (path.starts_with("/_index_template/")) {
      templates[name] = body;
    } else if (path.starts_with("/_data_stream/")) {
      mappings[name] = templates.at(name)["template"]["mappings"];
    } else {
      const std::string stream = path.substr(1, path.find('/', 1) - 1);
      CHECK(name == "_mapping?write_index_only=true");
      mappings.at(stream).merge_patch(body);
    }
  }

  HttpResponse Get(const std::string& path) {
    const std::string name = path.substr(path.rfind('/') + 1);
    if (path.find("polic") != std::string::npos) {
      if (!lifecycle_) return Answer(400, {{"error", "no handler found for uri"}});
      if (!policies.contains(name)) return NotFound();
      return Answer(200, {{name, policies[name]}});
    }
    if (path.starts_with("/_index_template/")) {
      if (!templates.contains(name)) return NotFound();
      json whole = templates[name];
      whole["composed_of"] = json::array();
      whole["data_stream"] = {{"hidden", false}};
      json& settings = whole["template"]["settings"];
      settings = AsSettings(settings);
      settings["index"]["refresh_interval"] = "30s";  // an operator's own
      const json one = {{"name", name}, {"index_template", whole}};
      return Answer(200, {{"index_templates", json::array({one})}});
    }
    if (path.starts_with("/_data_stream/")) {
      if (!mappings.contains(name)) return NotFound();
      const json older = {{"index_name", ".ds-" + name + "-000001"}};
      const json newest = {{"index_name", ".ds-" + name + "-000002"}};
      const json one = {{"name", name}, {"indices", json::array({older, newest})}};
      return Answer(200, {{"data_streams", json::array({one})}});
    }
    const std::string index = path.substr(1, path.find('/', 1) - 1);
    const std::string stream = index.substr(4, index.size() - 4 - std::string("-000002").size());
    json mapping = mappings.at(stream);
    mapping["dynamic"] = "false";  // as text
    return Answer(200, {{index, {{"mappings", mapping}}}});
  }

  const bool lifecycle_;
};

struct Told {
  Result<bool> result;
  std::vector<std::string> lines;

  [[nodiscard]] bool Has(const std::string& line) const {
    return std::find(lines.begin(), lines.end(), line) != lines.end();
  }
};

Told Run(FakeEngine* fake, bool change = true, Flavor flavor = Flavor::kElasticsearch) {
  std::vector<std::string> lines;
  auto result = Install({.url = kUrl,
                         .engine = {.flavor = flavor, .version = "8.1.0"},
                         .events_stream = kEvents,
                         .change = change},
                        fake->exchange(), [&](const std::string& line) { lines.push_back(line); });
  return {std::move(result), std::move(lines)};
}

}  // namespace

TEST_CASE("setup installs everything once and changes nothing the second time") {
  const Flavor flavor = GENERATE(Flavor::kElasticsearch, Flavor::kOpenSearch);
  FakeEngine fake;
  const Told first = Run(&fake, true, flavor);
  CHECK(first.result.value());
  const std::string policies =
      flavor == Flavor::kElasticsearch ? "/_ilm/policy/" : "/_plugins/_ism/policies/";
  CHECK(fake.changes == std::vector<std::string>{
                            policies + kEvents, std::string("/_index_template/") + kEvents,
                            std::string("/_data_stream/") + kEvents, policies + kRequestsStream,
                            std::string("/_index_template/") + kRequestsStream,
                            std::string("/_data_stream/") + kRequestsStream});
  CHECK(first.lines.size() == 6);
  CHECK(first.Has("index template metrics-coap.events-default ... created"));

  fake.changes.clear();
  const Told second = Run(&fake, true, flavor);
  CHECK(second.result.value());
  CHECK(fake.changes.empty());
  CHECK(second.lines.size() == 8);  // and the mappings of the two write indices
  for (const std::string& line : second.lines)
    CHECK_THAT(line, Catch::Matchers::EndsWith(" ... unchanged"));
  CHECK(second.Has("mapping of .ds-metrics-coap.events-default-000002 ... unchanged"));
}

TEST_CASE("a check says what is missing or differs, and changes nothing") {
  FakeEngine fake;
  const Told empty = Run(&fake, false);
  CHECK_FALSE(empty.result.value());
  CHECK(fake.changes.empty());
  CHECK(empty.Has("data stream metrics-coap.requests-default ... missing"));

  CHECK(Run(&fake).result.value());
  CHECK(Run(&fake, false).result.value());

  fake.changes.clear();
  fake.templates[kEvents]["priority"] = 7;
  fake.mappings[kEvents]["properties"].erase("origin");
  const Told different = Run(&fake, false);
  CHECK_FALSE(different.result.value());
  CHECK(fake.changes.empty());
  CHECK(different.Has("index template metrics-coap.events-default ... differs"));
  CHECK(different.Has("  priority: 7, wanted 500"));
  CHECK(different.Has("mapping of .ds-metrics-coap.events-default-000002 ... differs"));
}

TEST_CASE("setup puts only what differs") {
  FakeEngine fake;
  CHECK(Run(&fake).result.value());
  fake.changes.clear();
  fake.templates[kEvents]["template"]["mappings"]["properties"]["origin"]["type"] = "text";
  const Told told = Run(&fake);
  CHECK(told.result.value());
  CHECK(fake.changes == std::vector<std::string>{std::string("/_index_template/") + kEvents});
  CHECK(told.Has("index template metrics-coap.events-default ... updated"));
  CHECK(told.Has("  template.mappings.properties.origin.type: text, wanted keyword"));
}

TEST_CASE("the index being written gets the fields it lacks") {
  FakeEngine fake;
  CHECK(Run(&fake).result.value());
  fake.changes.clear();
  fake.mappings[kEvents]["properties"]["value"]["properties"].erase("location");
  const Told told = Run(&fake);
  CHECK(told.result.value());
  CHECK(told.Has("mapping of .ds-metrics-coap.events-default-000002 ... updated"));
  CHECK(fake.mappings[kEvents]["properties"]["value"]["properties"].contains("location"));
  CHECK(fake.changes.size() == 1);
}

TEST_CASE("a field's type that cannot be changed waits for the rollover, and setup says so") {
  FakeEngine fake;
  CHECK(Run(&fake).result.value());
  fake.mappings[kEvents]["properties"]["origin"]["type"] = "text";
  fake.scripted[std::string("PUT /") + kEvents + "/_mapping?write_index_only=true"] =
      Answer(400, {{"error", {{"type", "illegal_argument"}, {"reason", "cannot be changed"}}}});
  const Told told = Run(&fake);
  CHECK_FALSE(told.result.value());
  const auto line = std::find_if(told.lines.begin(), told.lines.end(), [](const auto& text) {
    return text.find("_rollover") != std::string::npos;
  });
  REQUIRE(line != told.lines.end());
  CHECK_THAT(*line, Catch::Matchers::ContainsSubstring("cannot be changed"));
}

TEST_CASE("an engine without policies gets none, and no setting that names one") {
  FakeEngine fake(false);
  CHECK(Run(&fake).result.value());
  CHECK(fake.policies.empty());
  CHECK_FALSE(fake.templates[kEvents]["template"]["settings"]["index"].contains("lifecycle"));
  const Told again = Run(&fake, false);
  CHECK(again.result.value());
  CHECK(again.Has("lifecycle policy metrics-coap.events-default ... not offered by this engine"));
}

TEST_CASE("a policy that is there is the operator's") {
  FakeEngine fake;
  CHECK(Run(&fake).result.value());
  fake.changes.clear();
  fake.policies[kEvents] = {{"policy", {{"phases", {{"delete", {{"min_age", "90d"}}}}}}}};
  CHECK(Run(&fake).result.value());
  CHECK(Run(&fake, false).result.value());
  CHECK(fake.changes.empty());
}

TEST_CASE("what an engine refuses ends setup, with the request, the cause and what to check") {
  struct Case {
    HttpResponse response;
    ErrorCode code;
    std::string shows;
  };
  const json denied = {{"error", {{"type", "security_exception"}, {"reason", "denied"}}}};
  const std::vector<Case> cases = {
      {Answer(401, denied), ErrorCode::kForbidden, "password"},
      {Answer(403, denied), ErrorCode::kForbidden, "docs/elasticsearch.md"},
      {Answer(400, {{"error", "bad\nthing"}}), ErrorCode::kInvalid, "400 bad thing"},
      {Answer(503, denied), ErrorCode::kUnavailable, "503"},
      {Answer(429, denied), ErrorCode::kUnavailable, "429"},
      {{.status = 0, .error = "cannot connect", .body = "", .request_body = ""},
       ErrorCode::kUnavailable,
       "cannot connect; check"},
  };
  for (const Case& one : cases) {
    INFO(one.shows);
    FakeEngine fake;
    fake.scripted[std::string("PUT /_index_template/") + kEvents] = one.response;
    const Told told = Run(&fake);
    REQUIRE_FALSE(told.result.ok());
    CHECK(told.result.error().code == one.code);
    const std::string& message = told.result.error().message;
    CHECK_THAT(message, Catch::Matchers::ContainsSubstring(one.shows));
    CHECK(message.find('\n') == std::string::npos);
    if (one.response.status != 0) {
      CHECK_THAT(message,
                 Catch::Matchers::StartsWith(std::string("PUT ") + kUrl + "/_index_template/"));
    }
    CHECK(told.lines.size() == 1);  // the policy before it
  }
}

TEST_CASE("an answer that is none is not taken for a difference") {
  for (const char* path : {"GET /_index_template/", "GET /_data_stream/"}) {
    FakeEngine fake;
    CHECK(Run(&fake).result.value());
    fake.changes.clear();
    fake.scripted[std::string(path) + kEvents] = {
        .status = 200, .error = "", .body = "<html>", .request_body = ""};
    const Told told = Run(&fake);
    REQUIRE_FALSE(told.result.ok());
    CHECK(told.result.error().code == ErrorCode::kUnavailable);
    CHECK(fake.changes.empty());
  }
}

TEST_CASE("differences count what is wanted, and compare scalars as text") {
  using Lines = std::vector<std::string>;
  const auto compare = [](const char* wanted, const char* installed) {
    return Differences(json::parse(wanted), json::parse(installed));
  };
  CHECK(compare(R"({"a": 1, "b": false})", R"({"a": "1", "b": "false", "c": 3})").empty());
  CHECK(compare(R"({"a": {"b": 1}})", R"({"a": {"b": 2}})") == Lines{"a.b: 2, wanted 1"});
  CHECK(compare(R"({"a": {"b": 1}})", R"({})") == Lines{"a: missing, wanted {\"b\":1}"});
  CHECK(compare(R"({"a": {"b": 1}})", R"({"a": 1})") == Lines{"a: 1, wanted {\"b\":1}"});
  CHECK(compare(R"({"a": ["x"]})", R"({"a": ["x", "y"]})").size() == 1);
  CHECK(compare(R"({"a": {}})", R"({"a": {"hidden": false}})").empty());
}

TEST_CASE("the requests as text are what an empty engine gets") {
  FakeEngine fake;
  CHECK(Run(&fake).result.value());
  const std::string text = RequestsText({.flavor = Flavor::kElasticsearch, .version = ""}, kEvents);
  std::size_t at = 0;
  for (const std::string& path : fake.changes) {
    at = text.find("PUT " + path + "\n", at);
    REQUIRE(at != std::string::npos);
  }
  CHECK_THAT(text, Catch::Matchers::ContainsSubstring(fake.templates[kEvents].dump(2)));
}

}  // namespace collector
