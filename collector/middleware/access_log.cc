#include "collector/middleware/access_log.h"

#include <spdlog/fmt/fmt.h>

#include <string>

#include "collector/base/log.h"

namespace collector {
namespace {

// A path is the sender's own bytes: what could break a line or a terminal is replaced.
std::string Printable(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) <= ' ' || static_cast<unsigned char>(c) >= 0x7f) c = '?';
  }
  return out;
}

}  // namespace

AccessLog::AccessLog(std::shared_ptr<spdlog::logger> log, Metrics* metrics,
                     int lines_per_second_max)
    : log_(std::move(log)), metrics_(metrics), lines_per_second_max_(lines_per_second_max) {}

Middleware AccessLog::Wrap() {
  return [this](Handler next) -> Handler {
    return [this, next = std::move(next)](const Request& request, Reply reply) {
      reply.AddHook(this);
      next(request, std::move(reply));
    };
  };
}

void AccessLog::OnAnswer(const AnsweredRequest& request, Response* response) {
  metrics_->coap.answers[CountedPath(request.path)].Add(static_cast<std::uint8_t>(response->code),
                                                        request.duration_ns);
  if (!log_->should_log(spdlog::level::info)) return;
  if (lines_ < lines_per_second_max_) {
    ++lines_;
    AddLine(request, *response);
    return;
  }
  ++unlogged_;
  ++unlogged_by_code_[static_cast<std::size_t>(response->code)];
  unlogged_longest_ns_ = std::max(unlogged_longest_ns_, request.duration_ns);
}

void AccessLog::Tick(std::int64_t monotonic_ns) {
  for (const std::string& line : turn_) log_->info("{}", line);
  turn_.clear();
  if (monotonic_ns - second_started_ns_ < kNsPerSecond) return;
  second_started_ns_ = monotonic_ns;
  lines_ = 0;
  if (unlogged_ > 0) WriteSummary();
}

void AccessLog::AddLine(const AnsweredRequest& request, const Response& response) {
  std::string line =
      fmt::format("{} {} {} > {} {:.2f} ms", request.peer.ToString(), MethodName(request.method),
                  Printable(request.path), ToString(response.code),
                  static_cast<double>(request.duration_ns) / 1e6);
  if (!response.payload.empty() && ClassOf(response.code) != 2) line += ": " + response.payload;
  const std::string peer = request.peer.ToString();
  std::string_view host(peer.data(), peer.rfind(':'));
  if (host.front() == '[') host = host.substr(1, host.size() - 2);
  turn_.push_back(WithFields(line, {{"event.action", "request"},
                                    {"event.duration", request.duration_ns},
                                    {"client.address", host},
                                    {"client.port", request.peer.port()},
                                    {"url.path", request.path},
                                    {"coap.request.method", MethodName(request.method)},
                                    {"coap.response.code", ToString(response.code)}}));
}

void AccessLog::WriteSummary() {
  std::string codes;
  for (std::size_t code = 0; code < unlogged_by_code_.size(); ++code) {
    if (unlogged_by_code_[code] == 0) continue;
    codes += fmt::format(" {}={}", ToString(static_cast<Code>(code)), unlogged_by_code_[code]);
  }
  log_->info("and {} more requests in this second:{}, longest {:.2f} ms{}", unlogged_, codes,
             static_cast<double>(unlogged_longest_ns_) / 1e6,
             WithFields({}, {{"event.action", "requests"},
                             {"event.count", static_cast<std::int64_t>(unlogged_)}}));
  unlogged_ = 0;
  unlogged_longest_ns_ = 0;
  unlogged_by_code_.fill(0);
}

}  // namespace collector
