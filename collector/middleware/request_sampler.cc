#include "collector/middleware/request_sampler.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace collector {

RequestSampler::RequestSampler(std::size_t samples_max, std::uint64_t seed)
    : samples_max_(samples_max), random_(seed) {
  CHECK(samples_max > 0);
}

Middleware RequestSampler::Wrap() {
  return [this](Handler next) -> Handler {
    return [this, next = std::move(next)](const Request& request, Reply reply) {
      reply.AddHook(this);
      next(request, std::move(reply));
    };
  };
}

void RequestSampler::OnAnswer(const AnsweredRequest& request, Response* response) {
  if (++seen_ >= next_) Keep(request, response->code);
}

// Algorithm L (Li, 1994). As if each request drew a lot from 0 to 1 and those with the smallest
// were kept: how many requests it takes until one draws below the largest lot that is kept is drawn
// at once, so that those in between cost a comparison each.
void RequestSampler::Keep(const AnsweredRequest& request, Code code) {
  if (samples_.empty()) began_ns_ = now_.monotonic_ns;
  const bool full = samples_.size() == samples_max_;
  if (!full) samples_.emplace_back();
  RequestSample& sample = full ? samples_[random_() % samples_max_] : samples_.back();
  sample.arrived_wall_ns = now_.wall_ns - request.duration_ns;
  sample.duration_ns = request.duration_ns;
  sample.method = request.method;
  sample.code = code;
  sample.path = request.path;
  next_ = seen_ + 1;
  if (samples_.size() < samples_max_) return;
  threshold_ *= std::exp(std::log(Unit()) / static_cast<double>(samples_max_));
  const double passed_over = std::log(Unit()) / std::log1p(-threshold_);
  next_ += static_cast<std::uint64_t>(std::min(passed_over, 1e18));
}

std::vector<RequestSample> RequestSampler::Take() {
  std::vector<RequestSample> samples = std::exchange(samples_, {});
  // What is left over by the division goes to neighbours of any one, so that none is favoured.
  const std::size_t first = samples.empty() ? 0 : random_() % samples.size();
  for (std::size_t i = 0; i < samples.size(); ++i) {
    RequestSample& sample = samples[(first + i) % samples.size()];
    sample.requests = seen_ / samples.size() + (i < seen_ % samples.size() ? 1 : 0);
  }
  seen_ = 0;
  next_ = 1;
  threshold_ = 1;
  began_ns_ = kNever;
  return samples;
}

double RequestSampler::Unit() { return (static_cast<double>(random_() >> 11) + 0.5) * 0x1p-53; }

}  // namespace collector
