// What an operator may choose about the elasticsearch store. Values only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "collector/http/http_client_options.h"

namespace collector {

enum class Flavor : std::uint8_t { kAuto, kElasticsearch, kOpenSearch };

struct ElasticsearchOptions {
  std::vector<std::string> urls = {"http://127.0.0.1:9200"};  // without a final slash
  std::string stream = "metrics-coap.events-default";
  Flavor flavor = Flavor::kAuto;
  HttpClientOptions http;

  // At start: how long the engine may take to answer.
  int start_timeout_seconds = 30;

  // One _bulk request.
  std::size_t batch_events_max = 5'000;
  std::size_t batch_bytes_max = 5'242'880;  // before compression
  int requests_in_flight_max = 2;
  std::int64_t request_timeout_ms = 30'000;

  // An event that is not stored within its deadline is answered 5.03.
  std::int64_t event_deadline_ms = 20'000;
  std::int64_t retry_ms_min = 100;  // first back-off, doubled each time, with full jitter
  std::int64_t retry_ms_max = 5'000;

  // After this many failed requests in a row events are answered 5.03 at once, and one small batch
  // at a time tries whether the engine is back.
  int breaker_failures = 5;
  std::int64_t breaker_probe_ms = 1'000;
};

}  // namespace collector
