// How the events of one command ended, and what that means for its exit status.
#pragma once

#include <cstdint>
#include <string>

#include "client/coap_client.h"

namespace collector::client {

enum class Outcome { kStored, kRefused, kUnavailable, kUnanswered };

constexpr Outcome OutcomeOfCode(int code_class, int code_detail) {
  if (code_class == 2) return Outcome::kStored;
  const bool too_many_requests = code_class == 4 && code_detail == 29;
  return code_class == 5 || too_many_requests ? Outcome::kUnavailable : Outcome::kRefused;
}
Outcome OutcomeOf(const Answer& answer);

class Tally {
 public:
  void CountSent(std::uint64_t events = 1) { sent_ += events; }
  void Count(Outcome outcome, std::uint64_t events = 1);
  // An event that could not even be sent.
  void CountFailure() { failed_ = true; }

  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  // What was sent and has had no answer counts as unanswered, here and below.
  [[nodiscard]] int ExitStatus() const;
  // "10 sent: 9 stored, 1 refused, 0 unavailable, 0 unanswered".
  [[nodiscard]] std::string Summary() const;
  // "10 sent, 9 stored, 1 refused": how far it is; without what is zero.
  [[nodiscard]] std::string Progress() const;

 private:
  [[nodiscard]] std::uint64_t unanswered() const {
    return sent_ - stored_ - refused_ - unavailable_;
  }

  std::uint64_t sent_ = 0;
  std::uint64_t stored_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t unavailable_ = 0;
  bool failed_ = false;
};

}  // namespace collector::client
