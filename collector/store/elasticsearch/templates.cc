#include "collector/store/elasticsearch/templates.h"

#include <cstdio>

namespace collector {
namespace {

using nlohmann::json;

// Above the engines' own templates for metrics-*-* (100) and those that Elastic's integrations
// install (200).
constexpr int kPriority = 500;
constexpr const char* kRolloverSize = "50gb";
constexpr const char* kRolloverAge = "30d";

// A longer text stays in the document but is not indexed; without a bound the engine refuses a
// document whose text is above 32,766 bytes.
json Keyword() { return {{"type", "keyword"}, {"ignore_above", 1'024}}; }
json Type(const char* type) { return {{"type", type}}; }
json Object(json properties) { return {{"properties", std::move(properties)}}; }

// flat_object is there from OpenSearch 2.7 on. Before, an object can be read but not searched.
bool HasFlatObject(const std::string& version) {
  int major = 0;
  int minor = 0;
  if (std::sscanf(version.c_str(), "%d.%d", &major, &minor) != 2) return true;
  return major > 2 || (major == 2 && minor >= 7);
}

json ObjectType(const Engine& engine) {
  if (engine.flavor == Flavor::kElasticsearch) {
    return {{"type", "flattened"}, {"ignore_above", 1'024}};
  }
  if (HasFlatObject(engine.version)) return Type("flat_object");
  return {{"type", "object"}, {"enabled", false}};
}

json Template(const Engine& engine, const std::string& stream, json properties) {
  json index = {
      {"auto_expand_replicas", "0-1"},           // green on one node, a copy on more
      {"translog", {{"durability", "request"}}}  // an answer means: on disk
  };
  if (engine.flavor == Flavor::kElasticsearch && engine.lifecycle) {
    index["lifecycle"] = {{"name", stream}};
  }
  return {
      {"index_patterns", json::array({stream})},
      {"priority", kPriority},
      {"data_stream", json::object()},
      {"template",
       {{"settings", {{"index", std::move(index)}}},
        {"mappings", {{"dynamic", false}, {"properties", std::move(properties)}}}}},
      {"_meta", {{"managed_by", "coap-collector"}}},
  };
}

}  // namespace

std::string Engine::name() const {
  return std::string(flavor == Flavor::kOpenSearch ? "OpenSearch" : "Elasticsearch") +
         (version.empty() ? "" : " " + version);
}

Result<Engine> ReadEngine(const std::string& body, Flavor flavor) {
  const json root = json::parse(body, nullptr, false);
  const auto version = root.is_object() ? root.find("version") : root.end();
  if (!root.is_object() || version == root.end() || !version->is_object()) {
    return Error{ErrorCode::kUnavailable, "this is neither Elasticsearch nor OpenSearch"};
  }
  const auto text = [&](const char* key) {
    const auto found = version->find(key);
    return found != version->end() && found->is_string() ? found->get<std::string>() : "";
  };
  Engine engine{.flavor = flavor, .version = text("number")};
  if (flavor == Flavor::kAuto) {
    engine.flavor =
        text("distribution") == "opensearch" ? Flavor::kOpenSearch : Flavor::kElasticsearch;
  }
  return engine;
}

json EventsTemplate(const Engine& engine, const std::string& stream) {
  return Template(engine, stream,
                  {{"@timestamp", Type("date")},
                   {"namespace", Keyword()},
                   {"sender", Keyword()},
                   {"origin", Keyword()},
                   {"payload", Object({{"type", Keyword()}})},
                   {"value", Object({{"number", Type("double")},
                                     {"string", Keyword()},
                                     {"boolean", Type("boolean")},
                                     {"location", Type("geo_point")},
                                     {"object", ObjectType(engine)}})},
                   {"event", Object({{"ingested", Type("date")}})}});
}

json RequestsTemplate(const Engine& engine, const std::string& stream) {
  return Template(engine, stream,
                  {{"@timestamp", Type("date")},
                   {"path", Keyword()},
                   {"method", Keyword()},
                   {"code", Keyword()},
                   {"replica", Keyword()},
                   {"processing_time_us", Type("long")},
                   {"requests", Type("long")}});
}

std::string LifecyclePath(Flavor flavor, const std::string& stream) {
  return (flavor == Flavor::kOpenSearch ? "/_plugins/_ism/policies/" : "/_ilm/policy/") + stream;
}

json LifecyclePolicy(Flavor flavor, const std::string& stream) {
  if (flavor == Flavor::kOpenSearch) {
    const json rollover = {{"min_size", kRolloverSize}, {"min_index_age", kRolloverAge}};
    const json state = {{"name", "hot"},
                        {"actions", json::array({{{"rollover", rollover}}})},
                        {"transitions", json::array()}};
    const json pattern = {{"index_patterns", json::array({stream})}, {"priority", kPriority}};
    return {{"policy",
             {{"description", "Rolls over by size and age; deletes nothing"},
              {"default_state", "hot"},
              {"states", json::array({state})},
              {"ism_template", json::array({pattern})}}}};
  }
  const json rollover = {{"max_primary_shard_size", kRolloverSize}, {"max_age", kRolloverAge}};
  return {{"policy", {{"phases", {{"hot", {{"actions", {{"rollover", rollover}}}}}}}}}};
}

}  // namespace collector
