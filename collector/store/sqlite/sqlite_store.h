// The embedded store behind the Store seam: batches from the loop to a writer thread and back.
// fsync blocks, so it happens over there; whole batches cross, one at a time each way.
#pragma once

#include <spdlog/logger.h>

#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <thread>

#include "collector/base/metrics.h"
#include "collector/base/poller.h"
#include "collector/store/sqlite/batch.h"
#include "collector/store/sqlite/database.h"

namespace collector {

struct SqliteStoreOptions {
  std::string path = "events.db";
  std::size_t batch_events_max = 8'192;
};

class SqliteStore : public Store {
 public:
  // Opens the file (see Database::Open for what it refuses) and starts the writer. Poller, metrics
  // and log outlive it.
  static Result<std::unique_ptr<SqliteStore>> Create(const SqliteStoreOptions& options,
                                                     Poller* poller, Metrics* metrics,
                                                     std::shared_ptr<spdlog::logger> log);
  // Every event must have been completed.
  ~SqliteStore() override;

  void Submit(const StoreEvent& event, Completion done) override;
  void Flush() override;
  void Tick(Instant) override {}
  [[nodiscard]] std::int64_t due_ns() const override { return kNever; }
  [[nodiscard]] StoreHealth health() const override;
  [[nodiscard]] std::string name() const override { return "sqlite"; }

 private:
  SqliteStore(const SqliteStoreOptions& options, std::unique_ptr<Database> database,
              UniqueFd handed_fd, UniqueFd committed_fd, Poller* poller, Metrics* metrics,
              std::shared_ptr<spdlog::logger> log);
  void OnCommitted();                     // loop thread: a batch came back
  void Write();                           // the writer thread
  void MeasureDisk(std::int64_t now_ns);  // the writer thread: not more than once a second
  void Report(const Status& status);      // the writer thread: errors are told once, and their end

  // Constant after construction.
  const std::string path_;
  const std::size_t batch_events_max_;
  Poller* const poller_;
  Metrics* const metrics_;
  const std::shared_ptr<spdlog::logger> log_;
  const UniqueFd handed_fd_;     // tells the writer: something is in to_write_, or never will be
  const UniqueFd committed_fd_;  // tells the loop: something is in committed_

  // Loop thread only.
  std::deque<std::unique_ptr<Batch>> filling_;  // the last one takes events
  std::unique_ptr<Batch> spare_;
  bool writing_ = false;
  std::int64_t handed_ns_ = 0;
  int sleep_through_ = 0;  // so many commits are not waited for awake

  // Writer thread only.
  const std::unique_ptr<Database> database_;
  std::uint64_t failures_in_a_row_ = 0;
  std::int64_t disk_measured_ns_ = 0;

  std::atomic<bool> failing_{false};

  // One batch crosses at a time, and belongs to whoever took it out of here.
  std::atomic<Batch*> to_write_{nullptr};
  std::atomic<Batch*> committed_{nullptr};
  std::thread writer_;  // last: it uses all of the above
};

}  // namespace collector
