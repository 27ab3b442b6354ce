// Keeps the summary up with the database: a thread of the lowest priority.
#pragma once

#include <spdlog/logger.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "collector/store/sqlite/summary.h"

namespace collector {

class Summariser {
 public:
  // Opens the summary and starts. While `busy`, which its thread calls, events wait for the disk,
  // and it stays behind. An error: there can be no summary, and no page.
  static Result<std::unique_ptr<Summariser>> Create(const std::string& database,
                                                    std::function<bool()> busy,
                                                    std::shared_ptr<spdlog::logger> log);
  ~Summariser();  // stops at the next row: the thread may be given very little CPU
  Summariser(const Summariser&) = delete;
  Summariser& operator=(const Summariser&) = delete;

  // Rows that are not in the summary yet. Any thread.
  [[nodiscard]] std::int64_t behind() const { return behind_.load(std::memory_order_relaxed); }

 private:
  Summariser(std::string database, std::function<bool()> busy, std::shared_ptr<spdlog::logger> log);
  Status Start();
  void Work();
  bool Due();
  void MakePass();
  bool Wait(std::int64_t ms);  // false: it is to stop

  const std::string database_;
  const std::function<bool()> busy_;
  const std::shared_ptr<spdlog::logger> log_;
  std::atomic<std::int64_t> behind_{0};
  std::mutex mutex_;
  std::condition_variable stop_;
  std::atomic<bool> stopping_{false};  // set under the mutex

  // The thread's own.
  std::unique_ptr<Summary> summary_;
  std::int64_t last_pass_ns_ = 0;
  bool failing_ = false;
  bool far_behind_ = false;

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace collector
