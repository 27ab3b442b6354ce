// A sample of all requests, for metrics: at most so many at a time, whatever the load. Each request
// is as likely to be in it as any other (reservoir sampling), and the sampled ones tell how many
// they stand for: these numbers add up to all that were answered.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "collector/base/clock.h"
#include "collector/middleware/middleware.h"

namespace collector {

struct RequestSample {
  std::int64_t arrived_wall_ns = 0;
  std::int64_t duration_ns = 0;
  Code method = Code::kEmpty;
  Code code = Code::kEmpty;
  std::string path = {};       // as AnsweredRequest cuts it: any bytes
  std::uint64_t requests = 0;  // that it stands for
};

class RequestSampler : public AnswerHook {
 public:
  RequestSampler(std::size_t samples_max, std::uint64_t seed);

  // The middleware. This object must outlive the chain.
  Middleware Wrap();

  void SetTime(Instant now) { now_ = now; }

  void OnAnswer(const AnsweredRequest& request, Response* response) override;

  // When the first request of this sample was answered; kNever if there was none.
  [[nodiscard]] std::int64_t began_ns() const { return began_ns_; }

  // Ends this sample and begins the next.
  std::vector<RequestSample> Take();

 private:
  void Keep(const AnsweredRequest& request, Code code);
  double Unit();  // above 0 and below 1

  const std::size_t samples_max_;
  std::mt19937_64 random_;
  Instant now_;
  std::int64_t began_ns_ = kNever;
  std::vector<RequestSample> samples_;
  std::uint64_t seen_ = 0;
  std::uint64_t next_ = 1;  // that is kept; all before it are only counted
  double threshold_ = 1;    // what a request's lot must be below; see Keep
};

}  // namespace collector
