#include "collector/base/log.h"

#include <spdlog/async.h>
#include <spdlog/fmt/chrono.h>
#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

namespace collector {
namespace {

constexpr const char* kName = "collector";
constexpr std::size_t kQueuedLinesMax = 1024;

class JsonFormatter : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    using std::chrono::duration_cast;
    using std::chrono::milliseconds;
    const auto ms = duration_cast<milliseconds>(message.time.time_since_epoch()).count();
    const spdlog::string_view_t level = spdlog::level::to_string_view(message.level);
    const nlohmann::ordered_json line{
        {"@timestamp",
         fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(ms / 1000), ms % 1000)},
        {"log.level", std::string(level.data(), level.size())},
        {"message", std::string(message.payload.data(), message.payload.size())},
        {"service.name", "coap-collector"}};
    const std::string text =
        line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
    out.append(text.data(), text.data() + text.size());
  }
  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<JsonFormatter>();
  }
};

std::shared_ptr<spdlog::logger> SetUp(std::shared_ptr<spdlog::logger> log, LogFormat format,
                                      const std::string& level) {
  if (format == LogFormat::kJson) {
    log->set_formatter(std::make_unique<JsonFormatter>());
  } else {
    log->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %-7l %v", spdlog::pattern_time_type::utc);
  }
  log->set_level(spdlog::level::from_str(level));
  log->flush_on(spdlog::level::trace);
  return log;
}

}  // namespace

std::shared_ptr<spdlog::logger> CreateLog(LogFormat format, const std::string& level) {
  spdlog::init_thread_pool(kQueuedLinesMax, 1);
  return SetUp(std::make_shared<spdlog::async_logger>(
                   kName, std::make_shared<spdlog::sinks::stdout_sink_mt>(), spdlog::thread_pool(),
                   spdlog::async_overflow_policy::overrun_oldest),
               format, level);
}

std::shared_ptr<spdlog::logger> CreateLogWithoutThread(LogFormat format, const std::string& level) {
  return SetUp(
      std::make_shared<spdlog::logger>(kName, std::make_shared<spdlog::sinks::stdout_sink_st>()),
      format, level);
}

void FlushLog() { spdlog::shutdown(); }

}  // namespace collector
