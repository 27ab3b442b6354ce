// Access log: one line a request, up to a rate; beyond it one summary line a second, so that it is
// neither silent nor a brake. It sees every answer, so it is also where they are counted.
#pragma once

#include <spdlog/logger.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "collector/base/metrics.h"
#include "collector/middleware/middleware.h"

namespace collector {

class AccessLog : public AnswerHook {
 public:
  AccessLog(std::shared_ptr<spdlog::logger> log, Metrics* metrics, int lines_per_second_max);

  // The middleware. This object must outlive the chain.
  Middleware Wrap();

  void OnAnswer(const AnsweredRequest& request, Response* response) override;

  // Writes the turn's lines, and the summary of a second that is over. Called once a turn of the
  // loop, after its answers were sent: waking the log's thread is not what a device waits for.
  void Tick(std::int64_t monotonic_ns);

 private:
  void AddLine(const AnsweredRequest& request, const Response& response);
  void WriteSummary();

  std::shared_ptr<spdlog::logger> log_;
  Metrics* metrics_;
  int lines_per_second_max_;
  std::int64_t second_started_ns_ = 0;
  int lines_ = 0;  // in this second
  std::vector<std::string> turn_;  // with their fields
  std::uint64_t unlogged_ = 0;
  std::int64_t unlogged_longest_ns_ = 0;
  std::array<std::uint32_t, 256> unlogged_by_code_{};
};

}  // namespace collector
