#include "collector/store/sqlite/reader_pool.h"

#include <chrono>

namespace collector {

std::optional<std::unique_ptr<Reader>> ReaderPool::Take(std::int64_t until_ns) {
  std::unique_lock lock(mutex_);
  if (idle_.empty()) {
    if (waiting_ == waiting_max_) return std::nullopt;
    const std::chrono::nanoseconds left(until_ns - ReadClock().monotonic_ns);
    ++waiting_;
    const bool came = returned_.wait_for(lock, left, [this] { return !idle_.empty(); });
    --waiting_;
    if (!came) return std::nullopt;
  }
  std::unique_ptr<Reader> reader = std::move(idle_.back());
  idle_.pop_back();
  return reader;
}

void ReaderPool::Return(std::unique_ptr<Reader> reader) {
  {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(reader));
  }
  returned_.notify_one();
}

}  // namespace collector
