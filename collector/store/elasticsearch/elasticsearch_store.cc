#include "collector/store/elasticsearch/elasticsearch_store.h"

#include <algorithm>
#include <utility>

#include "collector/store/elasticsearch/installation.h"
#include "collector/store/elasticsearch/retry_policy.h"

namespace collector {
namespace {

// Status and error of each item are all that is read: a quarter less work for the engine.
constexpr std::string_view kBulkPath =
    "/_bulk?filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason,"
    "items.*.failure_store";

constexpr std::size_t kProbeEventsMax = 64;
constexpr std::size_t kRequestEventsMin = 100;  // fewer would only make more requests
constexpr std::size_t kBatchBytesStep = 64;
constexpr std::int64_t kProbeTimeoutMs = 5'000;  // an engine that hangs is asked again

std::string WhatFailed(const std::string& stream_url, const HttpResponse& response) {
  if (response.status == 0) return response.error;
  std::string what = RequestFailure("POST", stream_url + "/_bulk", response).message;
  if (response.status == 404) what += "; collector setup makes the stream";
  return what;
}

}  // namespace

ElasticsearchStore::ElasticsearchStore(const ElasticsearchOptions& options, std::uint64_t seed,
                                       HttpClient* http, Metrics* metrics,
                                       std::shared_ptr<spdlog::logger> log)
    : options_(options),
      path_("/" + options.stream + std::string(kBulkPath)),
      http_(http),
      metrics_(metrics),
      random_(seed),
      log_(std::move(log), options.urls.size()),
      hosts_(options.urls),
      breaker_(options.breaker_failures, options.breaker_probe_ms * kNsPerMs),
      batch_bytes_max_(options.batch_bytes_max),
      request_events_max_(options.batch_events_max) {}

ElasticsearchStore::~ElasticsearchStore() {
  CHECK(waiting_.empty() && retries_.empty());
  for (const auto& bulk : in_flight_) CHECK(bulk->open == 0);
}

void ElasticsearchStore::Submit(const StoreEvent& event, Completion done) {
  if (breaker_.open() && !TakesProbes()) return std::move(done).Finish(Outcome::kNotNow);
  if (waiting_.empty() || waiting_.back()->size() >= options_.batch_events_max ||
      waiting_.back()->bytes() >= batch_bytes_max_) {
    waiting_.push_back(NewBulk());
  }
  const std::int64_t deadline_ns = now_.monotonic_ns + options_.event_deadline_ms * kNsPerMs;
  deadline_ns_ = std::min(deadline_ns_, deadline_ns);
  Bulk* filling = waiting_.back().get();
  filling->Add(event, deadline_ns, std::move(done));
  if (filling->bytes() > batch_bytes_max_ && filling->size() > 1) {
    waiting_.push_back(NewBulk());
    filling->MoveOpen(filling->size() - 1, waiting_.back().get());
  }
}

void ElasticsearchStore::Tick(Instant now) {
  now_ = now;
  if (now_.monotonic_ns < deadline_ns_) return;
  deadline_ns_ = kNever;
  for (const auto& bulk : in_flight_) Expire(bulk.get());
  for (const auto& bulk : waiting_) Expire(bulk.get());
  for (const auto& [due_ns, bulk] : retries_) Expire(bulk.get());
  std::erase_if(waiting_, [](const auto& bulk) { return bulk->open == 0; });
  std::erase_if(retries_, [](const auto& retry) { return retry.second->open == 0; });
  CompleteFinished();
}

std::int64_t ElasticsearchStore::due_ns() const {
  std::int64_t due_ns = deadline_ns_;
  if (!HasRoom()) return due_ns;
  if (breaker_.open()) {
    const bool wanted = !breaker_.probing() && !(waiting_.empty() && retries_.empty());
    return wanted ? std::min(due_ns, breaker_.probe_due_ns()) : due_ns;
  }
  if (!retries_.empty()) due_ns = std::min(due_ns, retries_.begin()->first);
  if (!waiting_.empty() && !in_flight_.empty()) {
    due_ns = std::min(due_ns, in_flight_.front()->sent_ns + kHoldBackNs);
  }
  return due_ns;
}

StoreHealth ElasticsearchStore::health() const {
  return failing_ || breaker_.open() ? StoreHealth::kFailing : StoreHealth::kOk;
}

bool ElasticsearchStore::HasRoom() const {
  return in_flight_.size() < static_cast<std::size_t>(options_.requests_in_flight_max);
}

// While the breaker is open: whether an event becomes part of the next probe.
bool ElasticsearchStore::TakesProbes() const {
  const bool few =
      waiting_.empty() || (waiting_.size() == 1 && waiting_.front()->size() < kProbeEventsMax);
  return few && retries_.empty() && HasRoom() && breaker_.MayProbe(now_.monotonic_ns);
}

Load ElasticsearchStore::CurrentLoad() const {
  Load load;
  load.requests_in_flight = in_flight_.size();
  for (const auto& bulk : in_flight_) load.events_in_flight += bulk->size();
  if (!in_flight_.empty()) load.oldest_sent_ns = in_flight_.front()->sent_ns;
  for (const auto& bulk : waiting_) load.events_waiting += bulk->open;
  return load;
}

std::unique_ptr<Bulk> ElasticsearchStore::NewBulk() {
  if (spare_.empty()) return std::make_unique<Bulk>();
  std::unique_ptr<Bulk> bulk = std::move(spare_.back());
  spare_.pop_back();
  return bulk;
}

void ElasticsearchStore::Recycle(std::unique_ptr<Bulk> bulk) {
  CHECK(bulk->open == 0);
  if (spare_.size() > static_cast<std::size_t>(options_.requests_in_flight_max)) return;
  bulk->body.clear();
  bulk->items.clear();
  spare_.push_back(std::move(bulk));
}

void ElasticsearchStore::SendWaiting() {
  if (breaker_.open()) return SendProbe();
  if (!HasRoom()) return;
  while (!retries_.empty() && retries_.begin()->first <= now_.monotonic_ns) {
    waiting_.push_front(std::move(retries_.extract(retries_.begin()).mapped()));
  }
  while (HasRoom() && IsWorthARequest(CurrentLoad(), now_.monotonic_ns)) {
    Send(TakeWaiting(request_events_max_), false);
  }
}

void ElasticsearchStore::SendProbe() {
  if (!HasRoom() || !breaker_.MayProbe(now_.monotonic_ns)) return;
  if (waiting_.empty() && !retries_.empty()) {
    waiting_.push_front(std::move(retries_.extract(retries_.begin()).mapped()));
  }
  if (waiting_.empty()) return;
  breaker_.ProbeSent(now_.monotonic_ns);
  Send(TakeWaiting(kProbeEventsMax), true);
}

// The first that wait, as one bulk: what was put back for a retry is mostly small.
std::unique_ptr<Bulk> ElasticsearchStore::TakeWaiting(std::size_t events_max) {
  std::unique_ptr<Bulk> bulk = std::move(waiting_.front());
  waiting_.pop_front();
  if (bulk->open < bulk->size()) {  // some passed their deadline
    std::unique_ptr<Bulk> all = std::exchange(bulk, NewBulk());
    all->MoveOpen(0, bulk.get());
    Recycle(std::move(all));
  }
  while (!waiting_.empty() && bulk->size() + waiting_.front()->open <= events_max &&
         bulk->bytes() + waiting_.front()->bytes() <= batch_bytes_max_) {
    waiting_.front()->MoveOpen(0, bulk.get());
    Recycle(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  if (bulk->size() > events_max) {
    waiting_.push_front(NewBulk());
    bulk->MoveOpen(events_max, waiting_.front().get());
  }
  return bulk;
}

void ElasticsearchStore::Send(std::unique_ptr<Bulk> bulk, bool probe) {
  CHECK(bulk->open == bulk->size() && bulk->open > 0);
  bulk->host = hosts_.Pick(now_.monotonic_ns);
  bulk->sent_ns = now_.monotonic_ns;
  bulk->probe = probe;
  for (BulkItem& item : bulk->items) ++item.attempts;
  HttpRequest request;
  request.method = "POST";
  request.url = hosts_.url(bulk->host) + path_;
  request.content_type = "application/x-ndjson";
  request.body = std::exchange(bulk->body, {});
  request.timeout_ms =
      probe ? std::min(kProbeTimeoutMs, options_.request_timeout_ms) : options_.request_timeout_ms;
  Bulk* const sent = bulk.get();
  in_flight_.push_back(std::move(bulk));
  metrics_->elasticsearch.requests_in_flight.Set(in_flight_.size());
  http_->Send(std::move(request),
              [this, sent](HttpResponse response) { OnAnswer(sent, std::move(response)); });
}

void ElasticsearchStore::OnAnswer(Bulk* sent, HttpResponse response) {
  const auto found = std::find_if(in_flight_.begin(), in_flight_.end(),
                                  [sent](const auto& bulk) { return bulk.get() == sent; });
  CHECK(found != in_flight_.end());
  std::unique_ptr<Bulk> bulk = std::move(*found);
  in_flight_.erase(found);
  metrics_->elasticsearch.requests_in_flight.Set(in_flight_.size());
  metrics_->elasticsearch.request_time.Observe(now_.monotonic_ns - bulk->sent_ns);
  bulk->body = std::move(response.request_body);
  CHECK(bulk->body.size() == bulk->bytes());
  if (bulk->probe) breaker_.ProbeEnded();

  switch (JudgeRequest(response.status)) {
    case RequestFate::kAnswered:
      if (reader_.Read(response.body, bulk->size(), &results_)) {
        TakeResults(bulk.get());
        break;
      }
      response.status = 0;
      response.error = hosts_.url(bulk->host) + " gave no whole answer to a bulk request";
      [[fallthrough]];
    case RequestFate::kBusy:
    case RequestFate::kFailed:
      Fail(bulk.get(), response);
      break;
    case RequestFate::kTooLarge:
      Split(bulk.get());
  }
  auto& metrics = metrics_->elasticsearch;
  if (breaker_.open() && metrics.breaker_open.Get() == 0) metrics.breaker_opened.Add();
  metrics.breaker_open.Set(breaker_.open() ? 1 : 0);
  SendWaiting();  // the engine works while these answers are made
  CompleteFinished();
  Recycle(std::move(bulk));
}

void ElasticsearchStore::TakeResults(Bulk* bulk) {
  auto& metrics = metrics_->elasticsearch;
  StoreLog::Items refused;
  StoreLog::Items not_now;
  refused.of = not_now.of = bulk->size();
  for (std::size_t i = 0; i < results_.size(); ++i) {
    const ItemResult& result = results_[i];
    const Outcome outcome = JudgeItem(result.status, result.error_type);
    if (outcome == Outcome::kNotNow) {
      if (not_now.count++ == 0) {
        not_now.type = result.error_type;
        not_now.reason = result.error_reason;
      }
      continue;
    }
    if (outcome == Outcome::kRefused && refused.count++ == 0) {
      refused.type = result.error_type;
      refused.reason = result.error_reason;
    }
    if (outcome == Outcome::kStored) metrics.items_stored.Add();
    if (outcome == Outcome::kDuplicate) metrics.items_duplicate.Add();
    if (result.failure_store) metrics.items_in_failure_store.Add();
    Finish(bulk, &bulk->items[i], outcome, result.error_type);
  }
  metrics.items_refused.Add(refused.count);
  metrics.items_not_now.Add(not_now.count);
  (refused.count + not_now.count == 0 ? metrics.requests_ok : metrics.requests_partial).Add();
  EngineAnswered(bulk->host);
  // Slowly, as each attempt above the engine's limit is one more request (Split).
  batch_bytes_max_ = std::min(batch_bytes_max_ + batch_bytes_max_ / 1'024 + kBatchBytesStep,
                              options_.batch_bytes_max);
  // One event that the engine fails at must not open the breaker for all others: that is for
  // requests that fail. But an engine that takes nothing is not well.
  failing_ = not_now.count == bulk->size();
  if (refused.count > 0) log_.ItemsRefused(refused, now_.monotonic_ns);
  if (not_now.count > 0) log_.ItemsNotNow(not_now, now_.monotonic_ns);
  Retry(bulk);
}

// The engine, or a proxy before it, has a limit below ours: keep to it for a good while.
void ElasticsearchStore::Split(Bulk* bulk) {
  metrics_->elasticsearch.requests_failed.Add();
  EngineAnswered(bulk->host);
  if (bulk->size() == 1) {
    if (bulk->open == 1) Finish(bulk, bulk->items.data(), Outcome::kRefused, "too_large");
    metrics_->elasticsearch.items_refused.Add();
    return;
  }
  if (bulk->bytes() / 2 < batch_bytes_max_) {
    batch_bytes_max_ = bulk->bytes() / 2;
    log_.BatchTooLarge(bulk->bytes(), batch_bytes_max_);
  }
  for (const std::size_t first : {bulk->size() / 2, std::size_t{0}}) {
    std::unique_ptr<Bulk> part = NewBulk();
    bulk->MoveOpen(first, part.get());
    if (part->open > 0) {
      waiting_.push_front(std::move(part));
    } else {
      Recycle(std::move(part));
    }
  }
}

// Nothing is known of any item.
void ElasticsearchStore::Fail(Bulk* bulk, const HttpResponse& response) {
  auto& metrics = metrics_->elasticsearch;
  const bool denied = response.status == 401 || response.status == 403;
  (denied ? metrics.requests_denied : metrics.requests_failed).Add();
  failing_ = true;
  log_.RequestFailed(bulk->host, response.status,
                     WhatFailed(hosts_.url(bulk->host) + "/" + options_.stream, response),
                     now_.monotonic_ns);
  // A busy engine is left alone by the back-off; the breaker would have it idle. A large request
  // that it has no memory for it would refuse again and again; a small one waits for its turn.
  if (JudgeRequest(response.status) == RequestFate::kBusy) {
    if (bulk->size() > kRequestEventsMin) {
      request_events_max_ = std::max(bulk->size() / 2, kRequestEventsMin);
    }
  } else {
    breaker_.Failed(now_.monotonic_ns);
    hosts_.Failed(bulk->host, now_.monotonic_ns);
  }
  Retry(bulk);
}

void ElasticsearchStore::EngineAnswered(std::size_t host) {
  hosts_.Succeeded(host);
  log_.RequestSucceeded(host, hosts_.url(host));
  failing_ = false;
  request_events_max_ =
      std::min(request_events_max_ + request_events_max_ / 8 + 1, options_.batch_events_max);
  const bool was_open = breaker_.open();
  breaker_.Succeeded();
  if (!was_open) return;
  // It is back: nobody waits out a back-off that was for its absence.
  while (!retries_.empty()) {
    waiting_.push_front(std::move(retries_.extract(std::prev(retries_.end())).mapped()));
  }
}

// What is still open waits for its back-off.
void ElasticsearchStore::Retry(Bulk* bulk) {
  if (bulk->open == 0) return;
  std::unique_ptr<Bulk> retry = NewBulk();
  bulk->MoveOpen(0, retry.get());
  metrics_->elasticsearch.events_retried.Add(retry->size());
  int attempts = 0;
  for (const BulkItem& item : retry->items) attempts = std::max(attempts, item.attempts);
  const std::int64_t wait_ns =
      BackOffNs(options_.retry_ms_min, options_.retry_ms_max, attempts, random_());
  retries_.emplace(now_.monotonic_ns + wait_ns, std::move(retry));
}

// Completed already is what passed its deadline while it was under way.
void ElasticsearchStore::Finish(Bulk* bulk, BulkItem* item, Outcome outcome,
                                std::string_view reason) {
  if (!item->done.has_value()) return;
  finished_.push_back({.done = bulk->Complete(item),
                       .outcome = outcome,
                       .reason = outcome == Outcome::kRefused ? reason : std::string_view()});
}

void ElasticsearchStore::Expire(Bulk* bulk) {
  for (BulkItem& item : bulk->items) {
    if (!item.done.has_value()) continue;
    if (item.deadline_ns <= now_.monotonic_ns) {
      Finish(bulk, &item, Outcome::kNotNow, {});
    } else {
      deadline_ns_ = std::min(deadline_ns_, item.deadline_ns);
    }
  }
}

void ElasticsearchStore::CompleteFinished() {
  for (Finished& event : finished_) std::move(event.done).Finish(event.outcome, event.reason);
  finished_.clear();
}

}  // namespace collector
