// A store that keeps events in memory and completes them when the test says so.
#pragma once

#include <deque>
#include <map>
#include <string>

#include "collector/store/store.h"

namespace collector {

class FakeStore : public Store {
 public:
  ~FakeStore() override { CHECK(submitted_.empty()); }

  void Submit(const StoreEvent& event, Completion done) override {
    submitted_.push_back({event.id, std::string(event.payload_json), event.event.origin,
                          event.timestamp_ns, std::move(done)});
  }
  void Flush() override {}
  void Tick(Instant) override {}
  [[nodiscard]] std::int64_t due_ns() const override { return kNever; }
  [[nodiscard]] StoreHealth health() const override { return StoreHealth::kOk; }
  [[nodiscard]] std::string name() const override { return "fake"; }

  [[nodiscard]] std::size_t pending() const { return submitted_.size(); }

  // Of the oldest.
  [[nodiscard]] std::int64_t TimestampNs() const { return submitted_.front().timestamp_ns; }

  // Commits the oldest `count`: each is stored, or found to be there already.
  void Commit(std::size_t count) {
    for (; count > 0 && !submitted_.empty(); --count) {
      Submitted oldest = Take();
      const bool fresh = stored.emplace(oldest.id, oldest.payload_json).second;
      std::move(oldest.done).Finish(fresh ? Outcome::kStored : Outcome::kDuplicate);
    }
  }
  void CommitAll() { Commit(submitted_.size()); }

  // Ends the oldest with `outcome` and stores nothing.
  void Fail(Outcome outcome, std::string_view reason = {}) {
    Submitted oldest = Take();
    std::move(oldest.done).Finish(outcome, reason);
  }

  // The oldest becomes the youngest.
  void Postpone() { submitted_.push_back(Take()); }

  // Stores the oldest, but loses the reply: the worst that a store can do.
  void StoreAndFail() {
    Submitted oldest = Take();
    stored.emplace(oldest.id, oldest.payload_json);
    std::move(oldest.done).Finish(Outcome::kNotNow);
  }

  std::map<EventId, std::string> stored;  // by id: the payload

 private:
  struct Submitted {
    EventId id;
    std::string payload_json;
    std::string origin;
    std::int64_t timestamp_ns;
    Completion done;
  };

  Submitted Take() {
    Submitted oldest = std::move(submitted_.front());
    submitted_.pop_front();
    return oldest;
  }

  std::deque<Submitted> submitted_;
};

}  // namespace collector
