// The circuit breaker: after some failures in a row it is open, and only now and then a probe tries
// whether the engine is back. A value: `now` is an argument.
#pragma once

#include <cstdint>

namespace collector {

class Breaker {
 public:
  Breaker(int failures_max, std::int64_t probe_ns)
      : failures_max_(failures_max), probe_ns_(probe_ns) {}

  [[nodiscard]] bool open() const { return failures_ >= failures_max_; }
  // One probe at a time, and none before this. Means something only while open.
  [[nodiscard]] bool probing() const { return probing_; }
  [[nodiscard]] std::int64_t probe_due_ns() const { return probe_due_ns_; }
  [[nodiscard]] bool MayProbe(std::int64_t now_ns) const {
    return !probing_ && now_ns >= probe_due_ns_;
  }

  void ProbeSent(std::int64_t now_ns) {
    probing_ = true;
    probe_due_ns_ = now_ns + probe_ns_;
  }
  void ProbeEnded() { probing_ = false; }

  // The end of any request, a probe's too.
  void Failed(std::int64_t now_ns) {
    if (open()) return;
    if (++failures_ == failures_max_) probe_due_ns_ = now_ns + probe_ns_;
  }
  void Succeeded() { failures_ = 0; }

 private:
  int failures_max_;
  std::int64_t probe_ns_;
  int failures_ = 0;
  bool probing_ = false;
  std::int64_t probe_due_ns_ = 0;
};

}  // namespace collector
