// Who was let in nowhere: one line a refusal, of a form that does not change, because programs such
// as fail2ban read it (deploy/fail2ban): "refused ADDRESS:PORT at VIA: WHY".
#pragma once

#include <spdlog/logger.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

namespace collector {

// Lines beyond some a second share one. Any thread.
class RefusalLog {
 public:
  static constexpr int kLinesPerSecondMax = 10;

  explicit RefusalLog(std::shared_ptr<spdlog::logger> log) : log_(std::move(log)) {}

  // `address` as "192.0.2.1:5683" or "[::1]:5683"; `via` says at what, and whether the address may
  // be forged: "coap", "coap, address unproven", "coaps", "http". `why` may hold the peer's bytes.
  void Add(std::string_view address, std::string_view via, std::string_view why,
           std::int64_t now_ns);

  // Tells of those without a line, when their second is over. Called once a turn.
  void Tick(std::int64_t now_ns);

 private:
  const std::shared_ptr<spdlog::logger> log_;
  std::atomic<std::int64_t> second_ = 0;
  std::atomic<int> lines_ = 0;  // in it
  std::atomic<std::uint64_t> unlogged_ = 0;
};

}  // namespace collector
