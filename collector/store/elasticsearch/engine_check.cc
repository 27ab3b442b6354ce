#include "collector/store/elasticsearch/engine_check.h"

#include <algorithm>

#include "collector/store/elasticsearch/templates.h"

namespace collector {
namespace {

constexpr std::int64_t kTimeoutMs = 5'000;
constexpr int kForbidden = 403;
constexpr int kNotFound = 404;

HttpResponse Get(const std::string& url, const Exchange& exchange) {
  HttpRequest request;
  request.url = url;
  request.timeout_ms = kTimeoutMs;
  return exchange(std::move(request));
}

Result<std::string> AskName(const std::string& url, Flavor flavor, const Exchange& exchange) {
  const HttpResponse response = Get(url + "/", exchange);
  // It may log us in, and let us write, without the privilege to say what it is.
  if (response.status == kForbidden) return std::string("an engine that does not say which");
  if (response.status != 200) return RequestFailure("GET", url + "/", response);
  const auto engine = ReadEngine(response.body, flavor);
  if (!engine.ok()) return Error{ErrorCode::kUnavailable, url + "/: " + engine.error().message};
  return engine.value().name();
}

// Only where every acknowledged write is synced does a 2xx survive a crash of the engine.
bool IsDurable(const nlohmann::json& index) {
  for (const char* group : {"settings", "defaults"}) {
    const auto settings = index.find(group);
    if (settings == index.end() || !settings->is_object()) continue;
    const auto durability = settings->find("index.translog.durability");
    if (durability == settings->end() || !durability->is_string()) continue;
    std::string text = *durability;
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return text == "request";
  }
  return true;
}

void CheckStream(const ElasticsearchOptions& options, const Exchange& exchange,
                 EngineFound* found) {
  const std::string url = found->url + "/" + options.stream +
                          "/_settings/index.translog.durability"
                          "?include_defaults=true&flat_settings=true";
  const HttpResponse response = Get(url, exchange);
  if (response.status == kNotFound) {
    found->warnings.push_back("there is no data stream " + options.stream +
                              " yet: collector setup makes it");
    return;
  }
  const nlohmann::json indices = nlohmann::json::parse(response.body, nullptr, false);
  if (response.status != 200 || !indices.is_object()) {
    found->warnings.push_back("cannot see whether writes to " + options.stream +
                              " are durable: " + RequestFailure("GET", url, response).message);
    return;
  }
  for (const auto& [name, index] : indices.items()) {
    if (!index.is_object() || IsDurable(index)) continue;
    found->warnings.push_back(
        name +
        ": index.translog.durability is not 'request': events that were answered 2.01 can "
        "be lost when the engine crashes");
  }
}

}  // namespace

Result<EngineFound> FindEngine(const ElasticsearchOptions& options, const Exchange& exchange,
                               const WaitToRetry& wait) {
  for (;;) {
    Error last;
    for (const std::string& url : options.urls) {
      const Result<std::string> name = AskName(url, options.flavor, exchange);
      if (name.ok()) {
        EngineFound found{.url = url, .name = name.value()};
        CheckStream(options, exchange, &found);
        return found;
      }
      last = {ErrorCode::kUnavailable, name.error().message};
    }
    if (!wait()) return last;
  }
}

}  // namespace collector
