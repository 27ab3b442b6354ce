// A sink before another one that lets the same warning or error pass once in ten seconds, and then
// says how often it came: what goes wrong for each of a thousand devices must not fill a disk.
#pragma once

#include <spdlog/sinks/sink.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace collector {

// A line is a message and, behind this character, its fields as a JSON object. Nothing from outside
// can stand for it: where a message may hold such a character, fields of ours come after it.
inline constexpr char kFieldsFollow = '\x1e';

struct LineParts {
  std::string_view message;
  std::string_view fields;  // empty: none
};

inline LineParts SplitLine(const spdlog::details::log_msg& line) {
  const std::string_view whole(line.payload.data(), line.payload.size());
  const std::size_t at = whole.rfind(kFieldsFollow);
  if (at == std::string_view::npos) return {whole, {}};
  return {whole.substr(0, at), whole.substr(at + 1)};
}

// One thread. Its clock is the lines' own time, so a count is told with the first line after its
// time, or at the end.
class FoldingSink : public spdlog::sinks::sink {
 public:
  static constexpr std::chrono::seconds kPeriod{10};
  static constexpr std::size_t kMessagesMax = 64;  // beyond it lines are not folded

  explicit FoldingSink(std::shared_ptr<spdlog::sinks::sink> next) : next_(std::move(next)) {}
  ~FoldingSink() override { TellCounts(spdlog::log_clock::time_point::max()); }

  void log(const spdlog::details::log_msg& line) override {
    TellCounts(line.time);
    if (line.level >= spdlog::level::warn && Seen(line)) return;
    next_->log(line);
  }
  void flush() override { next_->flush(); }
  void set_pattern(const std::string& pattern) override { next_->set_pattern(pattern); }
  void set_formatter(std::unique_ptr<spdlog::formatter> formatter) override {
    next_->set_formatter(std::move(formatter));
  }

 private:
  struct Repeated {
    spdlog::level::level_enum level;
    spdlog::log_clock::time_point first;
    std::string fields;
    std::size_t more = 0;
  };

  bool Seen(const spdlog::details::log_msg& line) {
    const LineParts parts = SplitLine(line);
    const std::string message(parts.message);
    if (const auto found = seen_.find(message); found != seen_.end()) {
      ++found->second.more;
      return true;
    }
    if (seen_.size() < kMessagesMax) {
      seen_.emplace(message, Repeated{line.level, line.time, std::string(parts.fields)});
    }
    return false;
  }

  void TellCounts(spdlog::log_clock::time_point now) {
    for (auto at = seen_.begin(); at != seen_.end();) {
      const auto& [message, repeated] = *at;
      if (now < repeated.first + kPeriod) {
        ++at;
        continue;
      }
      if (repeated.more > 0) {
        std::string text = message + " (" + std::to_string(repeated.more) + " more such lines)";
        if (!repeated.fields.empty()) text += kFieldsFollow + repeated.fields;
        const auto time = std::min(now, repeated.first + kPeriod);
        next_->log({time, {}, "collector", repeated.level, text});
        next_->flush();
      }
      at = seen_.erase(at);
    }
  }

  std::shared_ptr<spdlog::sinks::sink> next_;
  std::map<std::string, Repeated> seen_;
};

}  // namespace collector
