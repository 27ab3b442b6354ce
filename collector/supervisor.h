// Several collectors on one host that share their ports: starts them, starts again one that died,
// stops them all.
#pragma once

#include <spdlog/logger.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "collector/base/notify.h"

namespace collector {

// Has no thread of its own, and must be used before there is any: it forks.
class Supervisor {
 public:
  // Runs in the process that it starts; what it returns is that process's exit status.
  using Serve = std::function<int(std::size_t process)>;

  Supervisor(std::size_t processes, Serve serve, std::shared_ptr<spdlog::logger> log);

  // Returns the exit status: in the supervisor once all have ended after SIGINT or SIGTERM, or once
  // one could not be started at all; and in each process it started, what Serve returned. A second
  // signal kills them. `notifier` is told of the supervisor, not of the processes.
  int Run(Notifier notifier);

 private:
  struct Process {
    pid_t pid = 0;  // 0: it is not running
    std::int64_t started_ns = 0;
    std::int64_t start_again_ns = 0;
    bool first = true;  // it has not died yet
  };

  std::optional<int> StartDue();
  void OnSignal(int signal);
  void Reap();
  void OnEnd(std::size_t index, int wait_status);
  void SignalAll(int signal);
  [[nodiscard]] bool AnyRunning() const;

  Serve serve_;
  Notifier notifier_;
  std::shared_ptr<spdlog::logger> log_;
  std::vector<Process> processes_;
  bool stopping_ = false;
  int status_ = 0;
};

}  // namespace collector
