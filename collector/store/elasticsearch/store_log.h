// What the store tells its operator: that it begins to fail and works again, folded so that a
// failing engine does not fill a disk. Never a payload.
#pragma once

#include <spdlog/logger.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace collector {

class StoreLog {
 public:
  StoreLog(std::shared_ptr<spdlog::logger> log, std::size_t hosts)
      : log_(std::move(log)), hosts_(hosts) {}

  // A request failed. `failure` tells cause and URL; `status` is the answer's, 0 if none came.
  void RequestFailed(std::size_t host, int status, const std::string& failure, std::int64_t now_ns);
  void RequestSucceeded(std::size_t host, const std::string& url);

  // Of a batch that was answered, so many events were not taken, the first for this reason.
  struct Items {
    std::size_t count = 0;
    std::size_t of = 0;
    std::string_view type;
    std::string_view reason;
  };
  void ItemsRefused(const Items& items, std::int64_t now_ns);
  void ItemsNotNow(const Items& items, std::int64_t now_ns);

  void BatchTooLarge(std::size_t bytes, std::size_t bytes_max);

 private:
  struct Host {
    std::uint64_t failures = 0;  // in a row
    bool told = false;           // that it fails
    int status = 0;              // as told
    std::int64_t told_ns = 0;
  };

  std::shared_ptr<spdlog::logger> log_;
  std::vector<Host> hosts_;
  std::int64_t refused_quiet_until_ns_ = 0;
  std::uint64_t refused_untold_ = 0;
  std::int64_t not_now_quiet_until_ns_ = 0;
};

// An engine's own words, fit for a log line: without the field's value that some end with, without
// control characters, not endless.
std::string Told(std::string_view reason);

}  // namespace collector
