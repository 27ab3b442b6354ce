#include "collector/base/refusal_log.h"

#include "collector/base/clock.h"
#include "collector/base/log.h"

namespace collector {

void RefusalLog::Add(std::string_view address, std::string_view via, std::string_view why,
                     std::int64_t now_ns) {
  const std::int64_t second = now_ns / kNsPerSecond;
  if (second_.exchange(second) != second) lines_ = 0;
  if (lines_.fetch_add(1) >= kLinesPerSecondMax) {
    ++unlogged_;
    return;
  }
  std::string_view host = address.substr(0, address.rfind(':'));
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  log_->warn("refused {} at {}: {}{}", address, via, why,
             WithFields({}, {{"event.action", "refused"}, {"client.address", host}}));
}

void RefusalLog::Tick(std::int64_t now_ns) {
  if (unlogged_.load(std::memory_order_relaxed) == 0 || now_ns / kNsPerSecond == second_) return;
  log_->warn("and {} more were refused{}", unlogged_.exchange(0), Action("more-refused"));
}

}  // namespace collector
