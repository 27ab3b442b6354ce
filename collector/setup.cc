#include "collector/setup.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

#include "collector/base/clock.h"
#include "collector/base/poller.h"
#include "collector/http/curl_http_client.h"
#include "collector/http/perform.h"
#include "collector/store/elasticsearch/installation.h"

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

// The first URL that answers. One that is away or not ready is asked again until the time is up.
Result<Found> FindEngine(const ElasticsearchOptions& options, const Exchange& exchange) {
  const std::int64_t until_ns =
      ReadClock().monotonic_ns + options.start_timeout_seconds * kNsPerSecond;
  for (bool told = false;; told = true) {
    Error error;
    for (const std::string& url : options.urls) {
      const std::int64_t left_ms = (until_ns - ReadClock().monotonic_ns) / kNsPerMs;
      const HttpResponse answer = exchange(
          {.method = "GET",
           .url = url + "/",
           .content_type = "",
           .body = "",
           .timeout_ms = std::clamp<std::int64_t>(left_ms, 1, options.request_timeout_ms)});
      if (answer.status == 200) {
        auto engine = ReadEngine(answer.body, options.flavor);
        if (engine.ok()) return Found{url, std::move(engine).value()};
        return Error{engine.error().code, "GET " + url + "/: " + engine.error().message};
      }
      error = RequestFailure("GET", url + "/", answer);
      if (error.code != ErrorCode::kUnavailable) return error;
    }
    if (ReadClock().monotonic_ns + kPauseMs * kNsPerMs > until_ns) return error;
    if (!told) {
      Print("waiting up to " + std::to_string(options.start_timeout_seconds) +
            " s: " + error.message);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(kPauseMs));
  }
}

}  // namespace

Result<bool> RunSetup(const ElasticsearchOptions& options, SetupMode mode) {
  if (mode == SetupMode::kDryRun) {
    const bool open = options.flavor == Flavor::kOpenSearch;
    const Engine engine{.flavor = open ? Flavor::kOpenSearch : Flavor::kElasticsearch,
                        .version = ""};
    Print("# For " + engine.name() + "; --elasticsearch-flavor chooses. Policies (" +
          (open ? "_ism" : "_ilm") + ") go only where the engine offers them.");
    Print(RequestsText(engine, options.stream));
    return true;
  }
  auto poller = Poller::Create();
  if (!poller.ok()) return poller.error();
  auto client = CurlHttpClient::Create(options.http, poller.value().get());
  if (!client.ok()) return client.error();
  const Exchange exchange = [&](HttpRequest request) {
    return Perform(client.value().get(), poller.value().get(), std::move(request));
  };
  auto found = FindEngine(options, exchange);
  if (!found.ok()) return found.error();
  Print(found.value().engine.name() + " at " + found.value().url);
  return Install({.url = found.value().url,
                  .engine = found.value().engine,
                  .events_stream = options.stream,
                  .request_timeout_ms = options.request_timeout_ms,
                  .change = mode == SetupMode::kApply},
                 exchange, Print);
}

}  // namespace collector
