// The log, on standard output: text for people, or JSON lines with ECS names for machines.
#pragma once

#include <spdlog/logger.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

namespace collector {

enum class LogFormat {
  kAuto,  // text on a terminal and in the journal, which has columns of its own; else JSON
  kText,
  kJson,
};

// Lines are written by a thread of their own through a bounded queue that drops its oldest line
// when a reader of our output is stuck: a log never delays an event. Destroying the last reference
// and then calling FlushLog writes what is queued. Warnings and errors that come again are folded.
std::shared_ptr<spdlog::logger> CreateLog(LogFormat format, const std::string& level);
void FlushLog();

// The same log, written by whoever calls it: for a process that forks, and so may have no threads.
std::shared_ptr<spdlog::logger> CreateLogWithoutThread(LogFormat format, const std::string& level);

// What a line has for machines beside its message, under ECS names: {"client.address", "..."}.
struct LogField {
  std::string_view name;
  std::variant<std::int64_t, std::string_view> value;
};

// A line with fields: only JSON shows them.
std::string WithFields(std::string_view message, std::initializer_list<LogField> fields);

// The end of a message that says what happened, by a name that does not change: event.action.
inline std::string Action(std::string_view name) {
  return WithFields({}, {{"event.action", name}});
}

// A line as it is written. What could break it, or a terminal, is replaced.
void AppendText(const spdlog::details::log_msg& line, spdlog::memory_buf_t* out);
void AppendJson(const spdlog::details::log_msg& line, spdlog::memory_buf_t* out);

}  // namespace collector
