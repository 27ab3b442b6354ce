// Elasticsearch or OpenSearch behind the Store seam: batches as _bulk requests over an HttpClient.
//
// An event's way: Submit encodes it into the bulk that fills; the bulk goes out when the engine has
// room for it (batching.h); the answer tells each item's outcome by position. What the engine does
// not take now is tried again, that and nothing else, after a back-off and until the event's
// deadline. Trying again is safe whatever became of the first try, because each event is created
// under its own id.
#pragma once

#include <spdlog/logger.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "collector/base/metrics.h"
#include "collector/http/http_client.h"
#include "collector/store/elasticsearch/batching.h"
#include "collector/store/elasticsearch/breaker.h"
#include "collector/store/elasticsearch/bulk.h"
#include "collector/store/elasticsearch/bulk_codec.h"
#include "collector/store/elasticsearch/elasticsearch_options.h"
#include "collector/store/elasticsearch/hosts.h"
#include "collector/store/elasticsearch/store_log.h"
#include "collector/store/store.h"

namespace collector {

class ElasticsearchStore : public Store {
 public:
  // `seed` is for the jitter. Client and metrics outlive it; the client calls nothing of it back
  // once it is destroyed.
  ElasticsearchStore(const ElasticsearchOptions& options, std::uint64_t seed, HttpClient* http,
                     Metrics* metrics, std::shared_ptr<spdlog::logger> log);
  // Every event must have been completed. Requests may be under way whose events were answered at
  // their deadline.
  ~ElasticsearchStore() override;

  void Submit(const StoreEvent& event, Completion done) override;
  void Flush() override { SendWaiting(); }
  void Tick(Instant now) override;
  [[nodiscard]] std::int64_t due_ns() const override;
  [[nodiscard]] StoreHealth health() const override;
  [[nodiscard]] std::string name() const override { return "elasticsearch"; }

 private:
  struct Finished {
    Completion done;
    Outcome outcome;
    std::string_view reason;
  };

  [[nodiscard]] bool HasRoom() const;
  [[nodiscard]] bool TakesProbes() const;
  [[nodiscard]] Load CurrentLoad() const;
  std::unique_ptr<Bulk> NewBulk();
  void Recycle(std::unique_ptr<Bulk> bulk);

  void SendWaiting();
  void SendProbe();
  std::unique_ptr<Bulk> TakeWaiting(std::size_t events_max);
  void Send(std::unique_ptr<Bulk> bulk, bool probe);

  void OnAnswer(Bulk* sent, HttpResponse response);
  void TakeResults(Bulk* bulk);
  void Split(Bulk* bulk);
  void Fail(Bulk* bulk, const HttpResponse& response);
  void EngineAnswered(std::size_t host);
  void Retry(Bulk* bulk);
  void Finish(Bulk* bulk, BulkItem* item, Outcome outcome, std::string_view reason);
  void Expire(Bulk* bulk);
  void CompleteFinished();

  // Constant after construction.
  const ElasticsearchOptions options_;
  const std::string path_;
  HttpClient* const http_;
  Metrics* const metrics_;

  Instant now_;
  std::mt19937_64 random_;
  StoreLog log_;
  Hosts hosts_;
  Breaker breaker_;
  bool failing_ = false;               // the last request took nothing
  std::size_t batch_bytes_max_;        // halved at a 413, and very slowly raised again
  std::size_t request_events_max_;     // halved at a 429, and slowly raised again
  std::int64_t deadline_ns_ = kNever;  // no event's is before

  std::deque<std::unique_ptr<Bulk>> waiting_;                   // the last one takes events
  std::vector<std::unique_ptr<Bulk>> in_flight_;                // the oldest first
  std::multimap<std::int64_t, std::unique_ptr<Bulk>> retries_;  // by when they are due
  std::vector<std::unique_ptr<Bulk>> spare_;                    // for their memory

  // Reused from answer to answer.
  BulkAnswerReader reader_;
  std::vector<ItemResult> results_;
  std::vector<Finished> finished_;  // completed last, when all else is as it will be
};

}  // namespace collector
