#include "collector/base/log.h"

#include <spdlog/sinks/ostream_sink.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "collector/base/folding_sink.h"
#include "tests/unit/catch.h"

namespace collector {
namespace {

using spdlog::details::log_msg;
using spdlog::level::level_enum;

constexpr spdlog::log_clock::time_point kStart{std::chrono::milliseconds(1'795'238'000'123)};

template <typename Append>
std::string Written(Append append, const std::string& payload) {
  spdlog::memory_buf_t out;
  append(log_msg(kStart, {}, "test", level_enum::err, payload), &out);
  return {out.data(), out.size()};
}

// What passes a folding sink: a line each.
class Folded {
 public:
  void Log(int second, level_enum level, const std::string& payload) {
    sink_->log({kStart + std::chrono::seconds(second), {}, "test", level, payload});
  }
  void End() { sink_.reset(); }
  std::string Take() {
    std::string text = out_.str();
    out_.str("");
    return text;
  }

 private:
  std::ostringstream out_;
  std::unique_ptr<FoldingSink> sink_ = [this] {
    auto next = std::make_shared<spdlog::sinks::ostream_sink_st>(out_);
    next->set_pattern("%v");
    return std::make_unique<FoldingSink>(std::move(next));
  }();
};

}  // namespace

TEST_CASE("a line for people has no fields and stays one line") {
  const std::string line = WithFields("a\nb\x1b[2J", {{"event.action", "test"}});
  CHECK(Written(AppendText, line) == "2026-11-21T05:13:20.123Z error   a b [2J\n");
}

TEST_CASE("a line for machines has ECS names, and what is not UTF-8 does not break it") {
  const std::string line =
      WithFields("a\n\xff", {{"event.action", "test"}, {"client.port", std::int64_t{5}}});
  const std::string written = Written(AppendJson, line);
  CHECK(written.find('\n') == written.size() - 1);
  const auto json = nlohmann::json::parse(written);
  CHECK(json["@timestamp"] == "2026-11-21T05:13:20.123Z");
  CHECK(json["log.level"] == "error");
  CHECK(json["message"] == "a\n\xef\xbf\xbd");
  CHECK(json["service.name"] == "coap-collector");
  CHECK(json["event.action"] == "test");
  CHECK(json["client.port"] == 5);
}

TEST_CASE("a message cannot bring fields of its own where we add ours") {
  const std::string hostile = "x\x1e{\"log.level\":\"info\"}";
  const auto json =
      nlohmann::json::parse(Written(AppendJson, WithFields(hostile, {{"event.action", "test"}})));
  CHECK(json["log.level"] == "error");
  CHECK(json["message"] == hostile);
}

TEST_CASE("an error that comes again is told once, and then how often") {
  Folded log;
  const std::string failed = "disk full" + Action("store-failed");
  for (int second = 0; second < 10; ++second) log.Log(second, level_enum::err, failed);
  log.Log(9, level_enum::err, "another");
  CHECK(log.Take() == failed + "\nanother\n");
  log.Log(10, level_enum::info, "later");
  CHECK(log.Take() == "disk full (9 more such lines)" + Action("store-failed") + "\nlater\n");
  log.Log(11, level_enum::err, failed);
  CHECK(log.Take() == failed + "\n");
}

TEST_CASE("what is no error is never folded, and what is still counted is told at the end") {
  Folded log;
  log.Log(0, level_enum::info, "request");
  log.Log(0, level_enum::info, "request");
  CHECK(log.Take() == "request\nrequest\n");
  log.Log(0, level_enum::warn, "odd");
  log.Log(0, level_enum::warn, "odd");
  log.End();
  CHECK(log.Take() == "odd\nodd (1 more such lines)\n");
}

TEST_CASE("so many different errors are not folded that they would take memory") {
  Folded log;
  for (std::size_t i = 0; i < FoldingSink::kMessagesMax; ++i) {
    log.Log(0, level_enum::err, std::to_string(i));
  }
  log.Take();
  log.Log(0, level_enum::err, "new");
  log.Log(0, level_enum::err, "new");
  CHECK(log.Take() == "new\nnew\n");
}

}  // namespace collector
