#include "collector/handlers/retry_advice.h"

#include <algorithm>
#include <cmath>

#include "collector/base/clock.h"

namespace collector {
namespace {

constexpr std::int64_t kMeasureNs = kNsPerSecond / 2;
constexpr double kUnknownMeanSeconds = 5;
constexpr double kFailingMeanSeconds = 2;  // at first

double Seconds(std::int64_t ns) {
  return static_cast<double>(ns) / static_cast<double>(kNsPerSecond);
}

}  // namespace

RetryAdvice::RetryAdvice(std::uint64_t seed)
    : random_(static_cast<std::minstd_rand::result_type>(seed)) {}

void RetryAdvice::Tick(std::int64_t now_ns, std::size_t pending) {
  const std::int64_t passed_ns = now_ns_ == 0 ? 0 : now_ns - now_ns_;
  now_ns_ = now_ns;
  if (pending_ > 0) busy_ns_ += passed_ns;
  pending_ = pending;
  turned_away_ = std::max(0.0, turned_away_ - rate_ * collector::Seconds(passed_ns));
  if (busy_ns_ < kMeasureNs) return;
  const double measured = static_cast<double>(completed_) / collector::Seconds(busy_ns_);
  rate_ = rate_ == 0 ? measured : (rate_ + measured) / 2;
  busy_ns_ = 0;
  completed_ = 0;
}

void RetryAdvice::Completed(bool for_good) {
  if (for_good) {
    ++completed_;
    failing_ns_ = -1;
  } else {
    Failing();
  }
}

void RetryAdvice::Failing() {
  if (failing_ns_ < 0) failing_ns_ = now_ns_;
}

double RetryAdvice::MeanSeconds() const {
  double mean = kUnknownMeanSeconds;
  if (rate_ > 0) mean = (static_cast<double>(pending_) + turned_away_) / rate_;
  if (failing_ns_ < 0) return mean;
  return std::max(mean, kFailingMeanSeconds + collector::Seconds(now_ns_ - failing_ns_) / 2);
}

std::uint32_t RetryAdvice::Seconds() {
  const double latest = std::clamp(std::ceil(2 * MeanSeconds()), 2.0, double{kSecondsMax});
  turned_away_ = std::min(turned_away_ + 1, rate_ * kSecondsMax);
  return std::uniform_int_distribution<std::uint32_t>(1,
                                                      static_cast<std::uint32_t>(latest))(random_);
}

}  // namespace collector
