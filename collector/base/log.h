// The log: text for people, JSON lines (ECS names) for machines, on standard output.
#pragma once

#include <spdlog/logger.h>

#include <memory>
#include <string>

namespace collector {

enum class LogFormat { kText, kJson };

// Lines are written by a thread of their own through a bounded queue that drops its oldest line
// when a reader of our output is stuck: a log never delays an event. Destroying the last reference
// and then calling FlushLog writes what is queued.
std::shared_ptr<spdlog::logger> CreateLog(LogFormat format, const std::string& level);
void FlushLog();

// The same log, written by whoever calls it: for a process that forks, and so may have no threads.
std::shared_ptr<spdlog::logger> CreateLogWithoutThread(LogFormat format, const std::string& level);

}  // namespace collector
