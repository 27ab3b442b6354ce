// What `collector setup` does with an engine: compares what is installed with what the collector
// wants, and installs what is missing or differs. Repeatable: a second time changes nothing.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "collector/base/result.h"
#include "collector/http/http_client.h"
#include "collector/store/elasticsearch/templates.h"

namespace collector {

// One request, waited for.
using Exchange = std::function<HttpResponse(HttpRequest request)>;
using Tell = std::function<void(const std::string& line)>;

struct InstallOptions {
  std::string url;  // the engine's, without a final slash
  Engine engine;
  std::string events_stream;
  std::int64_t request_timeout_ms = 30'000;
  bool change = true;  // false: only say what is missing or differs
};

// Tells one line an object, indented lines for what differs. False if something is not as wanted
// at the end. Errors: kUnavailable, kForbidden (401, 403), kInvalid (refused otherwise).
Result<bool> Install(const InstallOptions& options, const Exchange& exchange, const Tell& tell);

// Every request that an empty engine would get, in the notation of the engines' consoles.
std::string RequestsText(const Engine& engine, const std::string& events_stream);

// How `installed` differs from `wanted`, a line each: only what is wanted counts, because engines
// add defaults and operators settings of their own; and scalars are compared as text, because
// engines return some as strings.
std::vector<std::string> Differences(const nlohmann::json& wanted, const nlohmann::json& installed);

// A failed request for a person: method, URL, cause, what to check.
Error RequestFailure(const std::string& method, const std::string& url,
                     const HttpResponse& response);

}  // namespace collector
