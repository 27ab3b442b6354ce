// What a service manager is told, by the datagrams of sd_notify(3): that this process serves, that
// it stops, and that its loop goes round. Said to nobody where none asks for it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "collector/base/clock.h"
#include "collector/base/result.h"

namespace collector {

class Notifier {
 public:
  using Environment = std::function<const char*(const char* name)>;

  Notifier() = default;  // for a process that nobody watches
  // From NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, as they are given to process `pid`, which
  // may take `stop_seconds` to end.
  Notifier(const Environment& environment, std::int64_t pid, std::int64_t stop_seconds);

  // `status` is one line for people. An error if the manager, who waits for it, is not reached.
  Status Ready(const std::string& status);

  // Does not wait, as all below: a manager that reads nothing must not stop the loop.
  void Stopping();

  // To be called at due_ns(), and as often as one likes: tells the watchdog, twice in its time.
  void Tick(std::int64_t now_ns) {
    if (now_ns >= due_ns_) TellWatchdog(now_ns);
  }
  [[nodiscard]] std::int64_t due_ns() const { return due_ns_; }

 private:
  Status Send(const std::string& message, int flags) const;
  void TellWatchdog(std::int64_t now_ns);

  std::string socket_;  // empty: nobody listens
  std::int64_t stop_seconds_ = 0;
  std::int64_t watchdog_interval_ns_ = 0;
  std::int64_t due_ns_ = kNever;
};

}  // namespace collector
