#include "collector/setup.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <optional>
#include <thread>

#include "collector/base/clock.h"
#include "collector/base/poller.h"
#include "collector/http/curl_http_client.h"
#include "collector/http/perform.h"
#include "collector/store/elasticsearch/installation.h"
#include "collector/store/elasticsearch/saved_objects.h"

namespace collector {
namespace {

constexpr std::int64_t kPauseMs = 500;

void Print(const std::string& line) {
  std::puts(line.c_str());
  std::fflush(stdout);  // progress, also in a pipe
}

struct Found {
  std::string url;
  Engine engine;
};

// Tries until there is a result, or `why` it was none is all there is to say.
template <typename Value, typename Try>
Result<Value> UntilThere(int seconds, const Try& attempt) {
  const std::int64_t until_ns = ReadClock().monotonic_ns + seconds * kNsPerSecond;
  for (bool told = false;; told = true) {
    Error why;
    const std::int64_t left_ms = (until_ns - ReadClock().monotonic_ns) / kNsPerMs;
    std::optional<Result<Value>> result = attempt(std::max<std::int64_t>(left_ms, 1), &why);
    if (result) return std::move(*result);
    if (ReadClock().monotonic_ns + kPauseMs * kNsPerMs > until_ns) return why;
    if (!told) Print("waiting up to " + std::to_string(seconds) + " s: " + why.message);
    std::this_thread::sleep_for(std::chrono::milliseconds(kPauseMs));
  }
}

// The first URL that answers. One that is away or not ready is asked again until the time is up.
Result<Found> FindEngine(const ElasticsearchOptions& options, const Exchange& exchange) {
  const auto attempt = [&](std::int64_t left_ms, Error* why) -> std::optional<Result<Found>> {
    for (const std::string& url : options.urls) {
      const HttpResponse answer =
          exchange({.method = "GET",
                    .url = url + "/",
                    .content_type = "",
                    .body = "",
                    .timeout_ms = std::min(left_ms, options.request_timeout_ms)});
      if (answer.status == 200) {
        auto engine = ReadEngine(answer.body, options.flavor);
        if (engine.ok()) return Found{url, std::move(engine).value()};
        return Error{engine.error().code, "GET " + url + "/: " + engine.error().message};
      }
      *why = RequestFailure("GET", url + "/", answer);
      if (why->code != ErrorCode::kUnavailable) return *why;
    }
    return std::nullopt;
  };
  return UntilThere<Found>(options.start_timeout_seconds, attempt);
}

Result<bool> SetUpKibana(const ElasticsearchOptions& options, const std::string& url, bool change,
                         const Exchange& exchange) {
  Print("Kibana at " + url);
  const auto attempt = [&](std::int64_t left_ms, Error* why) -> std::optional<Result<bool>> {
    auto done =
        ImportSavedObjects({.url = url,
                            .bundle = SavedObjectsFor(options.stream),
                            .request_timeout_ms = std::min(left_ms, options.request_timeout_ms),
                            .change = change},
                           exchange, Print);
    if (done.ok() || done.error().code != ErrorCode::kUnavailable) return done;
    *why = done.error();
    return std::nullopt;
  };
  return UntilThere<bool>(options.start_timeout_seconds, attempt);
}

void PrintRequests(const ElasticsearchOptions& options, const std::string& kibana_url) {
  const bool open = options.flavor == Flavor::kOpenSearch;
  const Engine engine{.flavor = open ? Flavor::kOpenSearch : Flavor::kElasticsearch, .version = ""};
  Print("# For " + engine.name() + "; --elasticsearch-flavor chooses. Policies (" +
        (open ? "_ism" : "_ilm") + ") go only where the engine offers them.");
  Print(RequestsText(engine, options.stream));
  if (kibana_url.empty()) return;
  Print("# For Kibana, as a file by multipart/form-data with kbn-xsrf: true or osd-xsrf: true");
  Print("POST " + kibana_url + "/api/saved_objects/_import?overwrite=true");
  Print(SavedObjectsFor(options.stream));
}

// One request after the other, with a client of its own.
Result<bool> WithClient(const HttpClientOptions& options,
                        const std::function<Result<bool>(const Exchange& exchange)>& work) {
  auto poller = Poller::Create();
  if (!poller.ok()) return poller.error();
  auto client = CurlHttpClient::Create(options, poller.value().get());
  if (!client.ok()) return client.error();
  return work([&](HttpRequest request) {
    return Perform(client.value().get(), poller.value().get(), std::move(request));
  });
}

}  // namespace

Result<bool> RunSetup(const ElasticsearchOptions& options, SetupMode mode,
                      const std::string& kibana_url) {
  if (mode == SetupMode::kDryRun) {
    PrintRequests(options, kibana_url);
    return true;
  }
  const bool change = mode == SetupMode::kApply;
  const auto engine = WithClient(options.http, [&](const Exchange& exchange) -> Result<bool> {
    auto found = FindEngine(options, exchange);
    if (!found.ok()) return found.error();
    Print(found.value().engine.name() + " at " + found.value().url);
    return Install({.url = found.value().url,
                    .engine = found.value().engine,
                    .events_stream = options.stream,
                    .request_timeout_ms = options.request_timeout_ms,
                    .change = change},
                   exchange, Print);
  });
  if (!engine.ok() || kibana_url.empty()) return engine;
  HttpClientOptions http = options.http;
  http.compress = false;  // Kibana reads no compressed request
  const auto kibana = WithClient(http, [&](const Exchange& exchange) {
    return SetUpKibana(options, kibana_url, change, exchange);
  });
  if (!kibana.ok()) return kibana;
  return engine.value() && kibana.value();
}

}  // namespace collector
