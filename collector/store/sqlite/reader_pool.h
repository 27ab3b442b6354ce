// Readers of the embedded store, shared by the threads that ask: so many at once, and so many that
// wait for one.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "collector/base/background.h"
#include "collector/store/sqlite/reader.h"

namespace collector {

class ReaderPool {
 public:
  ReaderPool(std::string database, std::size_t readers, std::size_t waiting_max)
      : database_(std::move(database)), waiting_max_(waiting_max), idle_(readers) {}

  // Runs `query`, which takes a Reader* and returns a Result, with a reader and in the background,
  // and waits for it. None: it was not run, because too many ask, or no reader came free by
  // `until_ns` (monotonic).
  template <typename Query>
  auto Run(std::int64_t until_ns, Query query) {
    using Answer = decltype(query(static_cast<Reader*>(nullptr)));
    std::optional<Answer> answer;
    auto place = Take(until_ns);
    if (!place) return answer;
    if (*place == nullptr) {  // opened when it is needed first
      auto opened = Reader::Open(database_);
      if (opened.ok()) {
        *place = std::move(opened).value();
      } else {
        answer.emplace(opened.error());
      }
    }
    if (*place != nullptr) {
      std::thread([&] {
        RunInBackground();
        answer.emplace(query(place->get()));
      }).join();
    }
    Return(std::move(*place));
    return answer;
  }

 private:
  std::optional<std::unique_ptr<Reader>> Take(std::int64_t until_ns);
  void Return(std::unique_ptr<Reader> reader);

  const std::string database_;
  const std::size_t waiting_max_;
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<Reader>> idle_;  // null: not opened yet
  std::size_t waiting_ = 0;
};

}  // namespace collector
