#include "collector/http/live_feed.h"

#include <pthread.h>

#include <chrono>

#include "collector/base/background.h"
#include "collector/base/clock.h"

namespace collector {
namespace {

constexpr std::chrono::milliseconds kTick(250);
constexpr int kTicksPerSample = 4;
constexpr std::size_t kTicksKept = 8;
constexpr std::size_t kEventsPerTick = 1'000;
constexpr std::size_t kSamplesKept = 6;  // the rate is of five seconds
constexpr std::int64_t kQueryNs = kNsPerSecond / 2;

QueryBounds Bounds() { return {.until_ns = ReadClock().monotonic_ns + kQueryNs, .cancelled = {}}; }

}  // namespace

LiveFeed::LiveFeed(std::unique_ptr<Reader> reader, const Metrics* metrics)
    : reader_(std::move(reader)), metrics_(metrics), thread_([this] { Work(); }) {}

LiveFeed::~LiveFeed() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

LiveFeed::Sample LiveFeed::Latest() const {
  const std::lock_guard lock(mutex_);
  return sample_;
}

void LiveFeed::Work() {
  pthread_setname_np(pthread_self(), "live-feed");
  RunInBackground();
  for (int tick = 0;; ++tick) {
    const bool sample = tick % kTicksPerSample == 0;
    if (sample) TakeSample();
    if (reader_ && (sample || subscribers() > 0)) Follow();
    std::unique_lock lock(mutex_);
    ++turns_;
    changed_.notify_all();
    const auto stopping = [this] { return stopping_; };
    if (changed_.wait_for(lock, kTick, stopping)) return;
  }
}

// Where nobody looks it only keeps its place, so that a page that comes misses nothing: it may get
// what was stored within the second before, too.
void LiveFeed::Follow() {
  const bool wanted = newest_row_ >= 0 && subscribers() > 0;
  auto rows = reader_->NewerThan(newest_row_, wanted ? kEventsPerTick : 0, Bounds());
  if (!rows.ok()) return;  // the next tick tries again
  newest_row_ = rows.value().newest_row;
  if (!wanted || rows.value().events.empty()) return;
  auto tick = std::make_shared<Tick>();
  tick->events = std::move(rows.value().events);
  tick->skipped = rows.value().skipped;
  const std::lock_guard lock(mutex_);
  tick->before = events_;
  events_ += static_cast<std::int64_t>(tick->events.size()) + tick->skipped;
  ticks_.push_back(std::move(tick));
  if (ticks_.size() > kTicksKept) ticks_.pop_front();
}

LiveFeed::Subscriber::Subscriber(LiveFeed* feed) : feed_(feed) {
  feed_->subscribers_.fetch_add(1);
  const std::lock_guard lock(feed_->mutex_);
  seen_ = feed_->events_;
}

LiveFeed::Subscriber::~Subscriber() { feed_->subscribers_.fetch_sub(1); }

LiveFeed::Subscriber::News LiveFeed::Subscriber::Wait() {
  std::unique_lock lock(feed_->mutex_);
  const std::uint64_t turns = feed_->turns_;
  feed_->changed_.wait(lock, [&] { return feed_->turns_ != turns || feed_->stopping_; });
  News news;
  for (const auto& tick : feed_->ticks_) {
    if (tick->before < seen_) continue;
    if (news.ticks.empty()) news.missed = tick->before - seen_;
    news.ticks.push_back(tick);
  }
  seen_ = feed_->events_;
  return news;
}

void LiveFeed::TakeSample() {
  stored_.push_back({ReadClock().monotonic_ns, metrics_->events.stored.Get()});
  if (stored_.size() > kSamplesKept) stored_.pop_front();
  Sample sample;
  const double seconds = static_cast<double>(stored_.back().at_ns - stored_.front().at_ns) /
                         static_cast<double>(kNsPerSecond);
  if (seconds > 0) {
    sample.events_per_second =
        static_cast<double>(stored_.back().count - stored_.front().count) / seconds;
  }
  if (reader_) {
    const auto count = reader_->CountEvents(Bounds());
    sample.events_stored = count.ok() ? count.value() : Latest().events_stored;
  }
  const std::lock_guard lock(mutex_);
  sample_ = sample;
}

}  // namespace collector
