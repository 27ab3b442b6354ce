#include "collector/store/sqlite/sqlite_store.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "collector/base/clock.h"
#include "collector/base/log.h"

namespace collector {
namespace {

// A commit is waited for awake while it is short: to be woken would take a third of its time. After
// one that was not (a slow disk, or others who need the core) the next ones are slept through.
constexpr std::int64_t kShortCommitNs = kNsPerMs;
constexpr int kSleptThrough = 16;

void Signal(const UniqueFd& fd) {
  const std::uint64_t one = 1;
  CHECK(write(fd.get(), &one, sizeof(one)) == sizeof(one));
}

}  // namespace

Result<std::unique_ptr<SqliteStore>> SqliteStore::Create(const SqliteStoreOptions& options,
                                                         Poller* poller, Metrics* metrics,
                                                         std::shared_ptr<spdlog::logger> log) {
  auto database = Database::Open(options.path);
  if (!database.ok()) return database.error();
  UniqueFd handed(eventfd(0, EFD_CLOEXEC));
  UniqueFd committed(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (handed.get() < 0 || committed.get() < 0) {
    return Error{ErrorCode::kIo, std::string("eventfd: ") + std::strerror(errno)};
  }
  const int raw_fd = committed.get();
  std::unique_ptr<SqliteStore> store(new SqliteStore(options, std::move(database).value(),
                                                     std::move(handed), std::move(committed),
                                                     poller, metrics, std::move(log)));
  const Status watched = poller->Watch(raw_fd, [raw = store.get()] { raw->OnCommitted(); });
  if (!watched.ok()) return watched.error();
  return store;
}

SqliteStore::SqliteStore(const SqliteStoreOptions& options, std::unique_ptr<Database> database,
                         UniqueFd handed_fd, UniqueFd committed_fd, Poller* poller,
                         Metrics* metrics, std::shared_ptr<spdlog::logger> log)
    : path_(options.path),
      batch_events_max_(options.batch_events_max),
      poller_(poller),
      metrics_(metrics),
      log_(std::move(log)),
      handed_fd_(std::move(handed_fd)),
      committed_fd_(std::move(committed_fd)),
      database_(std::move(database)),
      writer_([this] { Write(); }) {}

SqliteStore::~SqliteStore() {
  CHECK(!writing_ && filling_.empty());
  poller_->Forget(committed_fd_.get());
  Signal(handed_fd_);
  writer_.join();
}

void SqliteStore::Submit(const StoreEvent& event, Completion done) {
  if (filling_.empty() || filling_.back()->size() == batch_events_max_) {
    filling_.push_back(spare_ ? std::move(spare_) : std::make_unique<Batch>());
  }
  filling_.back()->Add(event, std::move(done));
}

void SqliteStore::Flush() {
  if (writing_ || filling_.empty()) return;
  writing_ = true;
  handed_ns_ = ReadClock().monotonic_ns;
  to_write_.store(filling_.front().release());
  Signal(handed_fd_);
  filling_.pop_front();
  if (sleep_through_ == 0) poller_->Expect(handed_ns_ + kShortCommitNs);
}

void SqliteStore::OnCommitted() {
  std::uint64_t signalled = 0;
  if (read(committed_fd_.get(), &signalled, sizeof(signalled)) != sizeof(signalled)) return;
  std::unique_ptr<Batch> batch(committed_.exchange(nullptr));
  CHECK(batch != nullptr && writing_);
  writing_ = false;
  poller_->Expect(0);
  const bool was_short = ReadClock().monotonic_ns - handed_ns_ <= kShortCommitNs;
  sleep_through_ = was_short ? std::max(sleep_through_ - 1, 0) : kSleptThrough;
  Flush();  // the next commit begins while these answers are made
  batch->FinishAll();
  spare_ = std::move(batch);
}

void SqliteStore::Write() {
  pthread_setname_np(pthread_self(), "store-writer");
  MeasureDisk(ReadClock().monotonic_ns);
  for (;;) {
    // Not a std::binary_semaphore: before it sleeps it yields, which on one core makes the loop's
    // answer wait for several changes of threads.
    std::uint64_t handed = 0;
    if (read(handed_fd_.get(), &handed, sizeof(handed)) != sizeof(handed)) continue;  // EINTR
    std::unique_ptr<Batch> batch(to_write_.exchange(nullptr));
    if (batch == nullptr) return;
    const std::int64_t began_ns = ReadClock().monotonic_ns;
    const Status status = database_->Commit(batch.get());
    metrics_->store.commit_time.Observe(ReadClock().monotonic_ns - began_ns);
    metrics_->store.commits.Add();
    metrics_->store.events_committed.Add(status.ok() ? batch->size() : 0);
    Report(status);
    committed_.store(batch.release());
    Signal(committed_fd_);
    database_->Tidy();
    MeasureDisk(began_ns);
  }
}

// Here, because it may block as the disk does.
void SqliteStore::MeasureDisk(std::int64_t now_ns) {
  if (now_ns - disk_measured_ns_ < kNsPerSecond) return;
  disk_measured_ns_ = now_ns;
  std::error_code error;
  std::uint64_t file_bytes = 0;
  for (const char* suffix : {"", "-wal"}) {
    const std::uint64_t bytes = std::filesystem::file_size(path_ + suffix, error);
    if (!error) file_bytes += bytes;
  }
  metrics_->store.file_bytes.Set(file_bytes);
  const auto disk = std::filesystem::space(std::filesystem::absolute(path_).parent_path(), error);
  if (error) return;
  metrics_->store.disk_bytes.Set(disk.capacity);
  metrics_->store.disk_free_bytes.Set(disk.available);
}

void SqliteStore::Report(const Status& status) {
  if (status.ok()) {
    if (failures_in_a_row_ > 0) {
      log_->warn("the store takes events again, after {} failed commits{}", failures_in_a_row_,
                 Action("store-recovered"));
    }
    failures_in_a_row_ = 0;
  } else {
    if (failures_in_a_row_++ == 0) {
      log_->error("{}; devices are told to try again (5.03){}", status.error().message,
                  Action("store-failed"));
    }
    metrics_->store.commits_failed.Add();
  }
  failing_.store(!status.ok(), std::memory_order_relaxed);
}

StoreHealth SqliteStore::health() const {
  return failing_.load(std::memory_order_relaxed) ? StoreHealth::kFailing : StoreHealth::kOk;
}

}  // namespace collector
