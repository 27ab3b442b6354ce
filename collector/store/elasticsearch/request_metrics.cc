#include "collector/store/elasticsearch/request_metrics.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "collector/base/log.h"
#include "collector/store/elasticsearch/installation.h"
#include "collector/store/elasticsearch/retry_policy.h"
#include "collector/store/elasticsearch/store_log.h"
#include "collector/store/elasticsearch/templates.h"
#include "event/timestamp.h"

namespace collector {
namespace {

constexpr std::int64_t kSampleNs = kNsPerSecond;
constexpr std::int64_t kQuietSeconds = 30;
constexpr std::int64_t kTimeoutMs = 5'000;

std::string BulkUrl(const std::string& url) {
  return url + "/" + kRequestsStream +
         "/_bulk?filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason";
}

}  // namespace

void AppendRequestMetric(const RequestSample& sample, const std::string& replica,
                         std::string* out) {
  using nlohmann::json;
  const json document = {
      {"@timestamp", FormatTimestamp(sample.arrived_wall_ns / kNsPerMs * kNsPerMs)},
      {"method", MethodName(sample.method)},
      {"path", sample.path},
      {"code", ToString(sample.code)},
      {"processing_time_us", sample.duration_ns / 1'000},
      {"requests", sample.requests},
      {"replica", replica}};
  out->append("{\"create\":{}}\n");
  // A path is whatever bytes came, and may be cut within a character.
  out->append(document.dump(-1, ' ', false, json::error_handler_t::replace)).append(1, '\n');
}

RequestMetrics::RequestMetrics(const std::vector<std::string>& urls, std::string replica,
                               RequestSampler* sampler, HttpClient* http, Metrics* metrics,
                               std::shared_ptr<spdlog::logger> log)
    : replica_(std::move(replica)),
      sampler_(sampler),
      http_(http),
      metrics_(metrics),
      log_(std::move(log)),
      hosts_(urls) {}

void RequestMetrics::Tick(std::int64_t now_ns, bool store_fails) {
  now_ns_ = now_ns;
  store_fails_ = store_fails;
  if (now_ns_ >= due_ns()) Send();
}

std::int64_t RequestMetrics::due_ns() const {
  if (in_flight_ > 0 || store_fails_ || sampler_->began_ns() == kNever) return kNever;
  return std::max(sampler_->began_ns() + kSampleNs, quiet_until_ns_);
}

void RequestMetrics::Send() {
  const std::vector<RequestSample> samples = sampler_->Take();
  in_flight_ = samples.size();
  host_ = hosts_.Pick(now_ns_);
  HttpRequest request;
  request.method = "POST";
  request.url = BulkUrl(hosts_.url(host_));
  request.content_type = "application/x-ndjson";
  for (const RequestSample& sample : samples) {
    AppendRequestMetric(sample, replica_, &request.body);
  }
  request.timeout_ms = kTimeoutMs;
  http_->Send(std::move(request), [this](const HttpResponse& response) { OnAnswer(response); });
}

void RequestMetrics::OnAnswer(const HttpResponse& response) {
  const std::size_t sent = std::exchange(in_flight_, 0);
  const bool answered = JudgeRequest(response.status) == RequestFate::kAnswered &&
                        reader_.Read(response.body, sent, &results_);
  if (!answered) results_.clear();
  const auto refused = std::find_if(results_.begin(), results_.end(),
                                    [](const ItemResult& item) { return item.status / 100 != 2; });
  const auto taken = static_cast<std::size_t>(
      std::count_if(results_.begin(), results_.end(),
                    [](const ItemResult& item) { return item.status / 100 == 2; }));
  metrics_->request_metrics.written.Add(taken);
  metrics_->request_metrics.dropped.Add(sent - taken);
  if (answered) {
    hosts_.Succeeded(host_);
  } else {
    hosts_.Failed(host_, now_ns_);
  }
  if (taken == sent) {
    if (failing_)
      log_->info("request metrics are written again{}", Action("request-metrics-recovered"));
    failing_ = false;
    return;
  }
  quiet_until_ns_ = now_ns_ + kQuietSeconds * kNsPerSecond;
  if (std::exchange(failing_, true)) return;
  const std::string why =
      answered ? std::string(refused->error_type) + ": " + std::string(refused->error_reason)
               : RequestFailure("POST", BulkUrl(hosts_.url(host_)), response).message;
  log_->warn("{} of {} request metrics dropped, the next in {} s: {}{}", sent - taken, sent,
             kQuietSeconds, Told(why), Action("request-metrics-dropped"));
}

}  // namespace collector
