// What is new, for the pages that are open: events as they are stored, and how the collector does.
// One thread follows the store for all of them; a page that does not keep up misses some of it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "collector/base/metrics.h"
#include "collector/store/sqlite/reader.h"

namespace collector {

class LiveFeed {
 public:
  // What came in a quarter of a second.
  struct Tick {
    std::vector<EventRow> events;  // the newest first
    std::int64_t skipped = 0;      // more that came, and were not read
    std::int64_t before = 0;       // all that came before, since somebody follows
  };
  struct Sample {
    double events_per_second = 0;  // of the last seconds
    std::int64_t events_stored = 0;
  };

  // `reader` may be null: then there are samples without it, and no events. Metrics outlive it.
  LiveFeed(std::unique_ptr<Reader> reader, const Metrics* metrics);
  ~LiveFeed();
  LiveFeed(const LiveFeed&) = delete;
  LiveFeed& operator=(const LiveFeed&) = delete;

  [[nodiscard]] Sample Latest() const;

  // One page that is open. It counts as long as it lives.
  class Subscriber {
   public:
    explicit Subscriber(LiveFeed* feed);
    ~Subscriber();
    Subscriber(const Subscriber&) = delete;
    Subscriber& operator=(const Subscriber&) = delete;

    // Waits for the next tick, and returns those that came since the last call; those it missed
    // only as a number of events.
    struct News {
      std::vector<std::shared_ptr<const Tick>> ticks;
      std::int64_t missed = 0;
    };
    News Wait();

   private:
    LiveFeed* feed_;
    std::int64_t seen_;  // events, of the feed's
  };

  [[nodiscard]] std::size_t subscribers() const { return subscribers_.load(); }

 private:
  void Work();
  void Follow();
  void TakeSample();

  const std::unique_ptr<Reader> reader_;
  const Metrics* const metrics_;
  std::atomic<std::size_t> subscribers_{0};

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::deque<std::shared_ptr<const Tick>> ticks_;  // the last ones with events
  std::int64_t events_ = 0;                        // in all ticks there ever were
  std::uint64_t turns_ = 0;
  Sample sample_;

  // The thread's own.
  std::int64_t newest_row_ = -1;  // -1: not known yet
  struct Stored {
    std::int64_t at_ns;
    std::uint64_t count;
  };
  std::deque<Stored> stored_;

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace collector
