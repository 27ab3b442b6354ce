#include "collector/store/elasticsearch/templates.h"

#include "tests/unit/catch.h"

namespace collector {
namespace {

using nlohmann::json;

const Engine kElastic{.flavor = Flavor::kElasticsearch, .version = "8.19.21"};
const Engine kOpen{.flavor = Flavor::kOpenSearch, .version = "2.19.6"};

json Properties(const json& index_template) {
  return index_template["template"]["mappings"]["properties"];
}

json Index(const json& index_template) { return index_template["template"]["settings"]["index"]; }

}  // namespace

TEST_CASE("the events' template") {
  const json whole = EventsTemplate(kOpen, "events-a");
  CHECK(whole["index_patterns"] == json::array({"events-a"}));
  CHECK(whole["priority"] >= 200);
  CHECK(whole["data_stream"] == json::object());
  CHECK(whole["template"]["mappings"]["dynamic"] == false);
  CHECK(Index(whole)["translog"]["durability"] == "request");
  CHECK(Properties(whole) == json::parse(R"({
    "@timestamp": {"type": "date"},
    "namespace": {"type": "keyword", "ignore_above": 1024},
    "sender": {"type": "keyword", "ignore_above": 1024},
    "origin": {"type": "keyword", "ignore_above": 1024},
    "payload": {"properties": {"type": {"type": "keyword", "ignore_above": 1024}}},
    "value": {"properties": {
      "number": {"type": "double"},
      "string": {"type": "keyword", "ignore_above": 1024},
      "boolean": {"type": "boolean"},
      "location": {"type": "geo_point"},
      "object": {"type": "flat_object"}}},
    "event": {"properties": {"ingested": {"type": "date"}}}})"));
}

TEST_CASE("an object is indexed as the engine can") {
  const auto type = [](const Engine& engine) {
    return Properties(EventsTemplate(engine, "s"))["value"]["properties"]["object"]["type"];
  };
  const auto open = [](const char* version) {
    return Engine{.flavor = Flavor::kOpenSearch, .version = version};
  };
  CHECK(type(kElastic) == "flattened");
  CHECK(type(open("1.3.20")) == "object");
  CHECK(type(open("2.6.0")) == "object");
  CHECK(type(open("2.7.0")) == "flat_object");
  CHECK(type(open("3.0.0-beta1")) == "flat_object");
  CHECK(type(open("")) == "flat_object");
}

TEST_CASE("the template names a policy only where the engine has such a setting") {
  Engine bare = kElastic;
  bare.lifecycle = false;
  CHECK(Index(EventsTemplate(kElastic, "s"))["lifecycle"]["name"] == "s");
  CHECK_FALSE(Index(EventsTemplate(bare, "s")).contains("lifecycle"));
  CHECK_FALSE(Index(EventsTemplate(kOpen, "s")).contains("lifecycle"));
}

TEST_CASE("the request metrics' template") {
  const json properties = Properties(RequestsTemplate(kElastic, kRequestsStream));
  CHECK(properties["processing_time_us"]["type"] == "long");
  CHECK(properties["requests"]["type"] == "long");
  for (const char* name : {"path", "method", "code", "replica"}) {
    CHECK(properties[name]["type"] == "keyword");
  }
}

TEST_CASE("policies roll over and delete nothing") {
  CHECK(LifecyclePath(Flavor::kElasticsearch, "s") == "/_ilm/policy/s");
  CHECK(LifecyclePath(Flavor::kOpenSearch, "s") == "/_plugins/_ism/policies/s");
  const json ilm = LifecyclePolicy(Flavor::kElasticsearch, "s")["policy"];
  CHECK(ilm["phases"].size() == 1);
  CHECK(ilm["phases"]["hot"]["actions"]["rollover"]["max_age"] == "30d");
  const json ism = LifecyclePolicy(Flavor::kOpenSearch, "s")["policy"];
  CHECK(ism["states"].size() == 1);
  CHECK(ism["states"][0]["name"] == ism["default_state"]);
  CHECK(ism["states"][0]["actions"][0]["rollover"]["min_index_age"] == "30d");
  CHECK(ism["states"][0]["transitions"] == json::array());
  CHECK(ism["ism_template"][0]["index_patterns"] == json::array({"s"}));
}

TEST_CASE("which engine it is") {
  const std::string open = R"({"version": {"distribution": "opensearch", "number": "2.19.6"}})";
  const std::string elastic = R"({"version": {"number": "8.19.21"}})";
  CHECK(ReadEngine(open, Flavor::kAuto).value().name() == "OpenSearch 2.19.6");
  CHECK(ReadEngine(elastic, Flavor::kAuto).value().name() == "Elasticsearch 8.19.21");
  CHECK(ReadEngine(elastic, Flavor::kOpenSearch).value().flavor == Flavor::kOpenSearch);
  for (const char* bad : {"", "<html>", "[]", "{}", R"({"version": 3})"}) {
    CHECK_FALSE(ReadEngine(bad, Flavor::kAuto).ok());
  }
}

}  // namespace collector
