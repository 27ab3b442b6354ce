#include "collector/http/metrics_text.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>
#include <vector>

#include "collector/base/clock.h"
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
  void Begin(const char* name, const char* help, prometheus::MetricType type,
             const char* prefix = "coap_collector_") {
    families_.push_back({std::string(prefix) + name, help, type, {}});
  }
  template <typename Number>
  void AddCounter(Number value, const Labels& labels = {}) {
    prometheus::ClientMetric metric = Labelled(labels);
    metric.counter.value = static_cast<double>(value);
    families_.back().metric.push_back(std::move(metric));
  }
  void AddGauge(double value, const Labels& labels = {}) {
    prometheus::ClientMetric metric = Labelled(labels);
    metric.gauge.value = value;
    families_.back().metric.push_back(std::move(metric));
  }
  void Count(const char* name, const char* help, const Counter& counter) {
    Begin(name, help, prometheus::MetricType::Counter);
    AddCounter(counter.Get());
  }
  void Gauge(const char* name, const char* help, const Counter& gauge) {
    Gauge(name, help, static_cast<double>(gauge.Get()));
  }
  void Gauge(const char* name, const char* help, double value) {
    Begin(name, help, prometheus::MetricType::Gauge);
    AddGauge(value);
  }
  void Histogram(const char* name, const char* help, const DurationHistogram& histogram) {
    Begin(name, help, prometheus::MetricType::Histogram);
    AddHistogram(histogram);
  }
  void AddHistogram(const DurationHistogram& histogram, const Labels& labels = {}) {
    prometheus::ClientMetric metric = Labelled(labels);
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

double ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t total_pages = 0;
  std::uint64_t resident_pages = 0;
  statm >> total_pages >> resident_pages;
  return static_cast<double>(resident_pages) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double Seconds(std::int64_t ns) { return static_cast<double>(ns) / 1e9; }

// A series is there from its first answer on; 2.01 for events from the start, so that a rate of it
// is never missing.
void AddAnswers(const Metrics& metrics, Families* out) {
  constexpr auto kCreated = static_cast<std::size_t>(Code::kCreated);
  const auto& answers = metrics.coap.answers;
  out->Begin("responses_total", "Answers by path and code.", prometheus::MetricType::Counter);
  for (std::size_t path = 0; path < answers.size(); ++path) {
    for (std::size_t code = 0; code < answers[path].by_code.size(); ++code) {
      const std::uint64_t count = answers[path].by_code[code].Get();
      if (count == 0 && (path != 0 || code != kCreated)) continue;
      out->AddCounter(count, {{"path", std::string(kCountedPaths[path])},
                              {"code", ToString(static_cast<Code>(code))}});
    }
  }
  out->Begin("response_seconds", "Time from a request's arrival to its answer.",
             prometheus::MetricType::Histogram);
  for (std::size_t path = 0; path < answers.size(); ++path) {
    for (std::size_t code_class = 0; code_class < answers[path].time_by_class.size();
         ++code_class) {
      const DurationHistogram& time = answers[path].time_by_class[code_class];
      if (time.Empty() && (path != 0 || code_class != kCreated >> 5)) continue;
      out->AddHistogram(time, {{"path", std::string(kCountedPaths[path])},
                               {"class", std::to_string(code_class) + ".xx"}});
    }
  }
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
  AddAnswers(metrics, out);
  out->Count("rate_limit_forgotten_total",
             "Peers that the table of their limits had no room for any more.",
             coap.rate_limit_forgotten);
  out->Begin("duplicates_total", "Retransmissions seen, by what they met.",
             prometheus::MetricType::Counter);
  out->AddCounter(coap.duplicates_pending.Get(), {{"exchange", "pending"}});
  out->AddCounter(coap.duplicates_replayed.Get(), {{"exchange", "answered"}});
  out->Begin("echo_total", "Requests of unproven addresses: asked for an Echo, or bringing it.",
             prometheus::MetricType::Counter);
  out->AddCounter(coap.echo_asked.Get(), {{"result", "asked"}});
  out->AddCounter(coap.echo_proven.Get(), {{"result", "proven"}});
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
             coap.separate_waiting);
  out->Gauge("exchanges_pending", "Requests whose answer is withheld.", coap.exchanges_pending);
  out->Gauge("exchanges_remembered", "Entries of the deduplication table.",
             coap.exchanges_remembered);
}

void AddCoaps(const Metrics& metrics, Families* out) {
  const auto& coaps = metrics.coaps;
  out->Gauge("coaps_sessions", "DTLS sessions.", coaps.sessions);
  out->Count("coaps_sessions_evicted_total", "DTLS sessions ended to make room for another.",
             coaps.sessions_evicted);
  out->Begin("coaps_handshakes_total", "DTLS handshakes by how they ended.",
             prometheus::MetricType::Counter);
  out->AddCounter(coaps.handshakes_succeeded.Get(), {{"result", "ok"}});
  out->AddCounter(coaps.handshakes_failed.Get(), {{"result", "failed"}});
  out->AddCounter(coaps.handshakes_refused.Get(), {{"result", "refused"}});
  out->Count("coaps_datagrams_without_session_total",
             "Datagrams of no DTLS session: it has ended, or there was none.",
             coaps.datagrams_without_session);
  out->Count("coaps_records_discarded_total",
             "Records of DTLS sessions that came again, were changed, or under other keys.",
             coaps.records_discarded);
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
             store.requests_in_flight);
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
             store.breaker_open);
  out->Count("elasticsearch_breaker_opened_total", "Times that began.", store.breaker_opened);
  out->Begin("request_metrics_total", "Sampled requests for their own data stream, by outcome.",
             prometheus::MetricType::Counter);
  out->AddCounter(metrics.request_metrics.written.Get(), {{"outcome", "written"}});
  out->AddCounter(metrics.request_metrics.dropped.Get(), {{"outcome", "dropped"}});
}

void AddStore(const Metrics& metrics, Families* out) {
  const auto& store = metrics.store;
  out->Count("store_commits_total", "Commits tried.", store.commits);
  out->Count("store_commits_failed_total", "Commits that failed.", store.commits_failed);
  out->Count("store_events_committed_total", "Events in successful commits.",
             store.events_committed);
  out->Histogram("store_commit_seconds", "Duration of a commit.", store.commit_time);
  if (store.disk_bytes.Get() == 0) return;
  out->Gauge("store_file_bytes", "Size of the store's file and its log.", store.file_bytes);
  out->Gauge("store_disk_bytes", "Size of the file system they are on.", store.disk_bytes);
  out->Gauge("store_disk_free_bytes", "Free space there, as of the last commit.",
             store.disk_free_bytes);
}

void AddLimits(const Metrics& metrics, Families* out) {
  const auto& fixed = metrics.fixed;
  out->Gauge("events_pending_max", "Limit of events_pending.", fixed.pending_events);
  out->Gauge("events_pending_bytes_max", "Limit of events_pending_bytes.", fixed.pending_bytes);
  out->Gauge("bodies_assembling_max", "Limit of bodies_assembling.", fixed.bodies);
  out->Gauge("exchanges_remembered_max", "Limit of exchanges_remembered.",
             fixed.exchanges_remembered);
  out->Gauge("receive_buffer_bytes", "Receive buffer of a socket, as the system granted it.",
             fixed.receive_buffer_bytes);
  out->Gauge("requests_per_second_per_peer_max", "Limit for each peer; 0: none.",
             fixed.requests_per_second_per_peer);
  out->Gauge("elasticsearch_requests_in_flight_max",
             "Limit of elasticsearch_requests_in_flight; 0: another store.",
             fixed.elasticsearch_requests_in_flight);
}

// Under the names that every Prometheus client library gives them.
void AddProcess(const Metrics& metrics, Families* out) {
  const auto begin = [out](const char* name, const char* help, prometheus::MetricType type) {
    out->Begin(name, help, type, "process_");
  };
  begin("start_time_seconds", "When this process began, since 1970.",
        prometheus::MetricType::Gauge);
  out->AddGauge(Seconds(static_cast<std::int64_t>(metrics.fixed.started_wall_ns.Get())));
  begin("resident_memory_bytes", "Resident memory.", prometheus::MetricType::Gauge);
  out->AddGauge(ResidentBytes());
  begin("cpu_seconds_total", "CPU time.", prometheus::MetricType::Counter);
  out->AddCounter(CpuSeconds());
}

// By this thread's clock, so that they grow also while the loop is stuck.
void AddAges(const Metrics& metrics, const ServiceState& state, std::int64_t now_ns,
             Families* out) {
  const auto oldest_ns = static_cast<std::int64_t>(metrics.events.oldest_ns.Get());
  out->Gauge("events_oldest_pending_seconds", "How long the oldest of events_pending waits.",
             oldest_ns == 0 ? 0 : Seconds(std::max<std::int64_t>(now_ns - oldest_ns, 0)));
  out->Gauge("loop_idle_seconds", "Since the event loop last went round: it does once a second.",
             Seconds(std::max<std::int64_t>(now_ns - state.last_turn_ns.load(), 0)));
}

}  // namespace

std::string MetricsText(const Metrics& metrics, const ServiceState& state,
                        std::int64_t now_monotonic_ns) {
  Families out;
  AddCoap(metrics, &out);
  AddCoaps(metrics, &out);
  out.Begin("bodies_total", "Bodies sent in blocks, by how they ended.",
            prometheus::MetricType::Counter);
  out.AddCounter(metrics.bodies.completed.Get(), {{"end", "completed"}});
  out.AddCounter(metrics.bodies.abandoned.Get(), {{"end", "abandoned"}});
  out.AddCounter(metrics.bodies.refused.Get(), {{"end", "refused"}});
  out.Gauge("bodies_assembling", "Bodies of which blocks are missing yet.",
            metrics.bodies.assembling);
  out.Begin("events_total", "Events by outcome.", prometheus::MetricType::Counter);
  out.AddCounter(metrics.events.stored.Get(), {{"outcome", "stored"}});
  out.AddCounter(metrics.events.duplicate.Get(), {{"outcome", "duplicate"}});
  out.AddCounter(metrics.events.refused.Get(), {{"outcome", "refused"}});
  out.AddCounter(metrics.events.not_now.Get(), {{"outcome", "not_now"}});
  out.Gauge("events_pending", "Accepted events that are not durable yet.", metrics.events.pending);
  out.Gauge("events_pending_bytes", "Payload bytes of those.", metrics.events.pending_bytes);
  AddAges(metrics, state, now_monotonic_ns, &out);
  out.Gauge("store_failing", "1 while the store takes nothing.",
            state.store_failing.load() ? 1.0 : 0.0);
  AddStore(metrics, &out);
  AddElasticsearch(metrics, &out);
  AddLimits(metrics, &out);
  AddProcess(metrics, &out);
  out.Begin("build_info", "1, labelled with version and store.", prometheus::MetricType::Gauge);
  out.AddGauge(1, {{"version", COLLECTOR_VERSION}, {"store", state.store_name}});
  return out.Text();
}

}  // namespace collector
