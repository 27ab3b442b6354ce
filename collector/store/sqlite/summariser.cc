#include "collector/store/sqlite/summariser.h"

#include <pthread.h>

#include <chrono>

#include "collector/base/background.h"

namespace collector {
namespace {

constexpr std::int64_t kLookMs = 1'000;
constexpr std::int64_t kAfterErrorMs = 30'000;
// A pass writes each page of a span once, however many events were added to it: so they are made
// seldom. Until then readers take the rows themselves.
constexpr std::int64_t kPassNs = 30 * kNsPerSecond;
// Between the passes of a summary that is far behind, for the disk.
constexpr std::int64_t kBreathMs = 2;

}  // namespace

Result<std::unique_ptr<Summariser>> Summariser::Create(const std::string& database,
                                                       std::function<bool()> busy,
                                                       std::shared_ptr<spdlog::logger> log) {
  std::unique_ptr<Summariser> summariser(new Summariser(database, std::move(busy), std::move(log)));
  if (Status started = summariser->Start(); !started.ok()) return started.error();
  return summariser;
}

Summariser::Summariser(std::string database, std::function<bool()> busy,
                       std::shared_ptr<spdlog::logger> log)
    : database_(std::move(database)), busy_(std::move(busy)), log_(std::move(log)) {}

Status Summariser::Start() {
  auto summary = Summary::Open(database_, &stopping_);
  if (!summary.ok()) return summary.error();
  summary_ = std::move(summary).value();
  thread_ = std::thread([this] { Work(); });
  return Ok{};
}

Summariser::~Summariser() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool Summariser::Wait(std::int64_t ms) {
  std::unique_lock lock(mutex_);
  return !stop_.wait_for(lock, std::chrono::milliseconds(ms), [this] { return stopping_.load(); });
}

void Summariser::Work() {
  pthread_setname_np(pthread_self(), "summariser");
  RunInBackground();
  std::int64_t wait_ms = 0;
  while (Wait(wait_ms)) {
    wait_ms = kLookMs;
    if (!Due()) continue;
    MakePass();
    if (failing_) wait_ms = kAfterErrorMs;
    if (!failing_ && behind() >= kPassRowsMax) wait_ms = kBreathMs;
  }
}

bool Summariser::Due() {
  const auto behind = summary_->Behind();
  if (!behind.ok()) return true;  // the pass will say the same, and why
  behind_.store(behind.value(), std::memory_order_relaxed);
  if (busy_()) return false;
  const std::int64_t since_ns = ReadClock().monotonic_ns - last_pass_ns_;
  // Less than nothing: another file is in the database's place.
  return behind.value() >= kPassRowsMax || behind.value() < 0 ||
         (behind.value() > 0 && since_ns > kPassNs);
}

void Summariser::MakePass() {
  const Instant now = ReadClock();
  last_pass_ns_ = now.monotonic_ns;
  const auto made = summary_->Pass(now.wall_ns);
  if (!made.ok()) {
    if (stopping_) return;
    if (!failing_) log_->warn("{}; what the page shows of it will be late", made.error().message);
    failing_ = true;
    if (made.error().code != ErrorCode::kInvalid) return;
    if (auto again = Summary::Open(database_, &stopping_); again.ok())
      summary_ = std::move(again).value();
    return;
  }
  if (failing_) log_->warn("the summary is written again");
  failing_ = false;
  behind_.store(made.value().behind, std::memory_order_relaxed);
  const bool far = made.value().behind > kTailRowsMax;
  if (far && !far_behind_) {
    log_->info("summarising {} stored events for the page", made.value().behind);
  }
  if (!far && far_behind_) log_->info("the page's summary has caught up");
  far_behind_ = far;
}

}  // namespace collector
