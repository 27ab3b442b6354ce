// What an engine is told before the collector writes to it: how the documents of each data stream
// are indexed, and when a stream begins its next backing index. Pure functions.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "collector/base/result.h"
#include "collector/store/elasticsearch/elasticsearch_options.h"

namespace collector {

// Request metrics go here, whatever the events' stream is called.
inline constexpr const char* kRequestsStream = "metrics-coap.requests-default";

struct Engine {
  Flavor flavor = Flavor::kElasticsearch;  // never kAuto
  std::string version;                     // "2.19.6"
  bool lifecycle = true;                   // offers policies: ILM or ISM

  [[nodiscard]] std::string name() const;  // "OpenSearch 2.19.6"
};

// From the body of `GET /`. `flavor` wins over what that says, unless it is kAuto.
Result<Engine> ReadEngine(const std::string& body, Flavor flavor);

// Bodies of `PUT /_index_template/<stream>`.
nlohmann::json EventsTemplate(const Engine& engine, const std::string& stream);
nlohmann::json RequestsTemplate(const Engine& engine, const std::string& stream);

// Path and body of the policy that rolls the stream over by size and age and deletes nothing.
std::string LifecyclePath(Flavor flavor, const std::string& stream);
nlohmann::json LifecyclePolicy(Flavor flavor, const std::string& stream);

}  // namespace collector
