// Writes the sampled requests into their own data stream, about once a second while there are any.
//
// Never in the way of events: one small _bulk request of its own at a time and none while the store
// fails. Nothing is tried again: what the engine does not take is dropped and counted.
#pragma once

#include <spdlog/logger.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "collector/base/metrics.h"
#include "collector/http/http_client.h"
#include "collector/middleware/request_sampler.h"
#include "collector/store/elasticsearch/bulk_codec.h"
#include "collector/store/elasticsearch/hosts.h"

namespace collector {

// Appends the action (create, under an id of the engine's) and the document, each with its newline.
// `replica` says which collector it was.
void AppendRequestMetric(const RequestSample& sample, const std::string& replica, std::string* out);

class RequestMetrics {
 public:
  // `urls` are the engine's, at least one. What is pointed to outlives it; the client calls nothing
  // of it back once it is destroyed.
  RequestMetrics(const std::vector<std::string>& urls, std::string replica, RequestSampler* sampler,
                 HttpClient* http, Metrics* metrics, std::shared_ptr<spdlog::logger> log);
  RequestMetrics(const RequestMetrics&) = delete;
  RequestMetrics& operator=(const RequestMetrics&) = delete;

  // Sends the sample if that is due. While nothing may be sent, the sample goes on: it stands for a
  // longer time then.
  void Tick(std::int64_t now_ns, bool store_fails);

  // When it wants the next Tick; kNever while there is nothing to send, or nothing may be.
  [[nodiscard]] std::int64_t due_ns() const;

 private:
  void Send();
  void OnAnswer(const HttpResponse& response);

  const std::string replica_;
  RequestSampler* const sampler_;
  HttpClient* const http_;
  Metrics* const metrics_;
  const std::shared_ptr<spdlog::logger> log_;

  std::int64_t now_ns_ = 0;
  bool store_fails_ = false;
  bool failing_ = false;             // the last request was not taken whole
  std::int64_t quiet_until_ns_ = 0;  // after that
  Hosts hosts_;
  std::size_t host_ = 0;       // of the request under way
  std::size_t in_flight_ = 0;  // documents in it; 0: none is
  BulkAnswerReader reader_;
  std::vector<ItemResult> results_;
};

}  // namespace collector
