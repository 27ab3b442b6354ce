#include "collector/http/metrics_text.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <utility>
#include <vector>

#include "collector/middleware/request.h"

namespace collector {
namespace {

using Labels = std::vector<std::pair<std::string, std::string>>;

prometheus::ClientMetric Labelled(const Labels& labels) {
  prometheus::ClientMetric metric;
  for (const auto& [name, value] : labels) metric.label.push_back({name, value});
  return metric;
}

// Collects families in reading order.
class Families {
 public:
  void Begin(const char* name, const char* help, prometheus::MetricType type) {
    families_.push_back({std::string("coap_collector_") + name, help, type, {}});
  }
  void AddCounter(std::uint64_t value, const Labels& labels = {}) {
    prometheus::ClientMetric metric = Labelled(labels);
    metric.counter.value = static_cast<double>(value);
    families_.back().metric.push_back(std::move(metric));
  }
  void AddGauge(std::uint64_t value, const Labels& labels = {}) {
    prometheus::ClientMetric metric = Labelled(labels);
    metric.gauge.value = static_cast<double>(value);
    families_.back().metric.push_back(std::move(metric));
  }
  void Count(const char* name, const char* help, const Counter& counter) {
    Begin(name, help, prometheus::MetricType::Counter);
    AddCounter(counter.Get());
  }
  void Gauge(const char* name, const char* help, std::uint64_t value) {
    Begin(name, help, prometheus::MetricType::Gauge);
    AddGauge(value);
  }
  void Histogram(const char* name, const char* help, const DurationHistogram& histogram) {
    Begin(name, help, prometheus::MetricType::Histogram);
    prometheus::ClientMetric metric;
    std::uint64_t cumulative = 0;
    for (std::size_t i = 0; i < DurationHistogram::kBuckets; ++i) {
      cumulative += histogram.Count(i);
      if (i + 1 == DurationHistogram::kBuckets) break;  // +Inf is the count itself
      const double bound = static_cast<double>(DurationHistogram::UpperBoundUs(i)) / 1e6;
      metric.histogram.bucket.push_back({cumulative, bound});
    }
    metric.histogram.sample_count = cumulative;
    metric.histogram.sample_sum = static_cast<double>(histogram.SumUs()) / 1e6;
    families_.back().metric.push_back(std::move(metric));
  }
  [[nodiscard]] std::string Text() const {
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, families_);
    return std::move(out).str();
  }

 private:
  std::vector<prometheus::MetricFamily> families_;
};

std::uint64_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t total_pages = 0;
  std::uint64_t resident_pages = 0;
  statm >> total_pages >> resident_pages;
  return resident_pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

void AddCoap(const Metrics& metrics, Families* out) {
  const auto& coap = metrics.coap;
  out->Count("datagrams_received_total", "UDP datagrams read.", coap.datagrams_received);
  out->Count("datagrams_malformed_total", "Datagrams that are no CoAP message.",
             coap.datagrams_malformed);
  out->Count("datagrams_dropped_total", "Datagrams the kernel dropped, receive buffer full.",
             coap.datagrams_dropped_kernel);
  out->Count("datagrams_send_failed_total", "Answers the kernel would not send.",
             coap.datagrams_send_failed);
  out->Count("requests_total", "CoAP requests, retransmissions included.", coap.requests);
  out->Begin("responses_total", "Answers by code.", prometheus::MetricType::Counter);
  for (std::size_t code = 0; code < coap.answers_by_code.size(); ++code) {
    const std::uint64_t count = coap.answers_by_code[code].Get();
    if (count > 0) out->AddCounter(count, {{"code", ToString(static_cast<Code>(code))}});
  }
  out->Begin("duplicates_total", "Retransmissions seen, by what they met.",
             prometheus::MetricType::Counter);
  out->AddCounter(coap.duplicates_pending.Get(), {{"exchange", "pending"}});
  out->AddCounter(coap.duplicates_replayed.Get(), {{"exchange", "answered"}});
  out->Count("resets_total", "RST messages sent.", coap.resets_sent);
  out->Count("empty_acknowledgements_total", "Requests acknowledged before their answer was there.",
             coap.acknowledged_empty);
  out->Begin("separate_answers_total",
             "Answers sent separately from the acknowledgement, by event.",
             prometheus::MetricType::Counter);
  out->AddCounter(coap.separate_sent.Get(), {{"event", "sent"}});
  out->AddCounter(coap.separate_retransmitted.Get(), {{"event", "retransmitted"}});
  out->AddCounter(coap.separate_reset.Get(), {{"event", "reset"}});
  out->AddCounter(coap.separate_given_up.Get(), {{"event", "given_up"}});
  out->AddCounter(coap.separate_unconfirmed.Get(), {{"event", "unconfirmed"}});
  out->Gauge("separate_answers_waiting", "Separate answers that are not acknowledged yet.",
             coap.separate_waiting.Get());
  out->Gauge("exchanges_pending", "Requests whose answer is withheld.",
             coap.exchanges_pending.Get());
  out->Gauge("exchanges_remembered", "Entries of the deduplication table.",
             coap.exchanges_remembered.Get());
  out->Histogram("response_seconds", "Time from a request to its answer.", coap.answer_time);
}

void AddElasticsearch(const Metrics& metrics, Families* out) {
  const auto& store = metrics.elasticsearch;
  out->Begin("elasticsearch_requests_total", "Bulk requests, by result.",
             prometheus::MetricType::Counter);
  out->AddCounter(store.requests_ok.Get(), {{"result", "ok"}});
  out->AddCounter(store.requests_partial.Get(), {{"result", "partial"}});
  out->AddCounter(store.requests_failed.Get(), {{"result", "failed"}});
  out->AddCounter(store.requests_denied.Get(), {{"result", "denied"}});
  out->Gauge("elasticsearch_requests_in_flight", "Bulk requests under way.",
             store.requests_in_flight.Get());
  out->Histogram("elasticsearch_request_seconds", "Duration of a bulk request.",
                 store.request_time);
  out->Begin("elasticsearch_items_total", "Items of answered bulk requests, by outcome.",
             prometheus::MetricType::Counter);
  out->AddCounter(store.items_stored.Get(), {{"outcome", "stored"}});
  out->AddCounter(store.items_duplicate.Get(), {{"outcome", "duplicate"}});
  out->AddCounter(store.items_refused.Get(), {{"outcome", "refused"}});
  out->AddCounter(store.items_not_now.Get(), {{"outcome", "not_now"}});
  out->Count("elasticsearch_failure_store_items_total",
             "Items stored, but in the stream's failure store.", store.items_in_failure_store);
  out->Count("elasticsearch_events_retried_total", "Events put back to be sent again.",
             store.events_retried);
  out->Gauge("elasticsearch_breaker_open", "1 while events are answered 5.03 at once.",
             store.breaker_open.Get());
  out->Begin("request_metrics_total", "Sampled requests for their own data stream, by outcome.",
             prometheus::MetricType::Counter);
  out->AddCounter(metrics.request_metrics.written.Get(), {{"outcome", "written"}});
  out->AddCounter(metrics.request_metrics.dropped.Get(), {{"outcome", "dropped"}});
}

}  // namespace

std::string MetricsText(const Metrics& metrics) {
  Families out;
  AddCoap(metrics, &out);
  out.Begin("bodies_total", "Bodies sent in blocks, by how they ended.",
            prometheus::MetricType::Counter);
  out.AddCounter(metrics.bodies.completed.Get(), {{"end", "completed"}});
  out.AddCounter(metrics.bodies.abandoned.Get(), {{"end", "abandoned"}});
  out.AddCounter(metrics.bodies.refused.Get(), {{"end", "refused"}});
  out.Gauge("bodies_assembling", "Bodies of which blocks are missing yet.",
            metrics.bodies.assembling.Get());
  out.Begin("events_total", "Events by outcome.", prometheus::MetricType::Counter);
  out.AddCounter(metrics.events.stored.Get(), {{"outcome", "stored"}});
  out.AddCounter(metrics.events.duplicate.Get(), {{"outcome", "duplicate"}});
  out.AddCounter(metrics.events.refused.Get(), {{"outcome", "refused"}});
  out.AddCounter(metrics.events.not_now.Get(), {{"outcome", "not_now"}});
  out.Gauge("events_pending", "Accepted events that are not durable yet.",
            metrics.events.pending.Get());
  out.Gauge("events_pending_bytes", "Payload bytes of those.", metrics.events.pending_bytes.Get());
  out.Count("store_commits_total", "Commits tried.", metrics.store.commits);
  out.Count("store_commits_failed_total", "Commits that failed.", metrics.store.commits_failed);
  out.Count("store_events_committed_total", "Events in successful commits.",
            metrics.store.events_committed);
  out.Histogram("store_commit_seconds", "Duration of a commit.", metrics.store.commit_time);
  AddElasticsearch(metrics, &out);
  out.Gauge("resident_bytes", "Resident memory of this process.", ResidentBytes());
  out.Begin("build_info", "1, labelled with the version.", prometheus::MetricType::Gauge);
  out.AddGauge(1, {{"version", COLLECTOR_VERSION}});
  return out.Text();
}

}  // namespace collector
