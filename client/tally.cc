#include "client/tally.h"

#include "client/exit_status.h"

namespace collector::client {

Outcome OutcomeOf(const Answer& answer) {
  if (answer.kind != Answer::Kind::kResponse) return Outcome::kUnanswered;
  return OutcomeOfCode(answer.code_class, answer.code_detail);
}

void Tally::Count(Outcome outcome, std::uint64_t events) {
  switch (outcome) {
    case Outcome::kStored:
      stored_ += events;
      return;
    case Outcome::kRefused:
      refused_ += events;
      return;
    case Outcome::kUnavailable:
      unavailable_ += events;
      return;
    case Outcome::kUnanswered:
      return;  // what is left of those sent
  }
}

int Tally::ExitStatus() const {
  if (unanswered() > 0) return kExitUnanswered;
  if (unavailable_ > 0) return kExitUnavailable;
  if (refused_ > 0) return kExitRefused;
  return failed_ ? kExitFailed : kExitOk;
}

std::string Tally::Progress() const {
  std::string text = std::to_string(sent_) + " sent, " + std::to_string(stored_) + " stored";
  if (refused_ > 0) text += ", " + std::to_string(refused_) + " refused";
  if (unavailable_ > 0) text += ", " + std::to_string(unavailable_) + " unavailable";
  return text;
}

std::string Tally::Summary() const {
  return std::to_string(sent_) + " sent: " + std::to_string(stored_) + " stored, " +
         std::to_string(refused_) + " refused, " + std::to_string(unavailable_) + " unavailable, " +
         std::to_string(unanswered()) + " unanswered";
}

}  // namespace collector::client
