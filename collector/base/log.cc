#include "collector/base/log.h"

#include <spdlog/async.h>
#include <spdlog/fmt/chrono.h>
#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "collector/base/folding_sink.h"

namespace collector {
namespace {

using nlohmann::ordered_json;

constexpr const char* kName = "collector";
constexpr std::size_t kQueuedLinesMax = 1024;

using Append = void (*)(const spdlog::details::log_msg& line, spdlog::memory_buf_t* out);

class Formatter : public spdlog::formatter {
 public:
  explicit Formatter(Append append) : append_(append) {}
  void format(const spdlog::details::log_msg& line, spdlog::memory_buf_t& out) override {
    append_(line, &out);
  }
  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<Formatter>(append_);
  }

 private:
  Append append_;
};

std::string TimeOf(const spdlog::details::log_msg& line) {
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  const auto ms = duration_cast<milliseconds>(line.time.time_since_epoch()).count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(ms / 1000), ms % 1000);
}

std::string_view LevelOf(const spdlog::details::log_msg& line) {
  const spdlog::string_view_t level = spdlog::level::to_string_view(line.level);
  return {level.data(), level.size()};
}

void AppendTo(spdlog::memory_buf_t* out, std::string_view text) {
  out->append(text.data(), text.data() + text.size());
}

// systemd says in JOURNAL_STREAM which file is its journal, as device:inode.
bool InJournal() {
  const char* journal = std::getenv("JOURNAL_STREAM");
  struct stat out {};
  return journal != nullptr && fstat(STDOUT_FILENO, &out) == 0 &&
         journal == fmt::format("{}:{}", out.st_dev, out.st_ino);
}

bool WantsText(LogFormat format) {
  if (format != LogFormat::kAuto) return format == LogFormat::kText;
  return isatty(STDOUT_FILENO) == 1 || InJournal();
}

std::shared_ptr<spdlog::logger> SetUp(std::shared_ptr<spdlog::logger> log, LogFormat format,
                                      const std::string& level) {
  log->set_formatter(std::make_unique<Formatter>(WantsText(format) ? AppendText : AppendJson));
  log->set_level(spdlog::level::from_str(level));
  log->flush_on(spdlog::level::trace);
  return log;
}

// One thread writes, here and there.
std::shared_ptr<spdlog::sinks::sink> StandardOutput() {
  return std::make_shared<FoldingSink>(std::make_shared<spdlog::sinks::stdout_sink_st>());
}

}  // namespace

std::shared_ptr<spdlog::logger> CreateLog(LogFormat format, const std::string& level) {
  spdlog::init_thread_pool(kQueuedLinesMax, 1);
  return SetUp(
      std::make_shared<spdlog::async_logger>(kName, StandardOutput(), spdlog::thread_pool(),
                                             spdlog::async_overflow_policy::overrun_oldest),
      format, level);
}

std::shared_ptr<spdlog::logger> CreateLogWithoutThread(LogFormat format, const std::string& level) {
  return SetUp(std::make_shared<spdlog::logger>(kName, StandardOutput()), format, level);
}

void FlushLog() { spdlog::shutdown(); }

std::string WithFields(std::string_view message, std::initializer_list<LogField> fields) {
  ordered_json json;
  for (const auto& [name, value] : fields) {
    std::visit([&json, name = name](const auto& v) { json[std::string(name)] = v; }, value);
  }
  return std::string(message) + kFieldsFollow +
         json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

void AppendText(const spdlog::details::log_msg& line, spdlog::memory_buf_t* out) {
  AppendTo(out, fmt::format("{} {:<7} ", TimeOf(line), LevelOf(line)));
  for (const char c : SplitLine(line).message) {
    const bool control = static_cast<unsigned char>(c) < ' ' || c == 0x7f;
    out->push_back(control ? ' ' : c);
  }
  out->push_back('\n');
}

void AppendJson(const spdlog::details::log_msg& line, spdlog::memory_buf_t* out) {
  const LineParts parts = SplitLine(line);
  ordered_json json{{"@timestamp", TimeOf(line)},
                    {"log.level", LevelOf(line)},
                    {"message", parts.message},
                    {"service.name", "coap-collector"},
                    {"ecs.version", "8.11.0"}};
  const ordered_json fields = ordered_json::parse(parts.fields, nullptr, false);
  if (fields.is_object()) json.update(fields);
  AppendTo(out, json.dump(-1, ' ', false, ordered_json::error_handler_t::replace));
  out->push_back('\n');
}

}  // namespace collector
