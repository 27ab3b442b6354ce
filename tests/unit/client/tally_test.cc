#include "client/tally.h"

#include <initializer_list>

#include "client/exit_status.h"
#include "tests/unit/catch.h"

namespace collector::client {
namespace {

Answer Response(int code_class, int code_detail) {
  return {.kind = Answer::Kind::kResponse, .code_class = code_class, .code_detail = code_detail};
}

int StatusOf(std::initializer_list<Answer> answers) {
  Tally tally;
  for (const Answer& answer : answers) {
    tally.CountSent();
    tally.Count(OutcomeOf(answer));
  }
  return tally.ExitStatus();
}

TEST_CASE("codes are written as RFC 7252 does") {
  CHECK(CodeText(Response(2, 1)) == "2.01");
  CHECK(CodeText(Response(4, 29)) == "4.29");
}

TEST_CASE("answers have their outcome") {
  CHECK(OutcomeOf(Response(2, 1)) == Outcome::kStored);
  CHECK(OutcomeOf(Response(4, 0)) == Outcome::kRefused);
  CHECK(OutcomeOf(Response(4, 22)) == Outcome::kRefused);
  CHECK(OutcomeOf(Response(3, 0)) == Outcome::kRefused);
  CHECK(OutcomeOf(Response(4, 29)) == Outcome::kUnavailable);
  CHECK(OutcomeOf(Response(5, 3)) == Outcome::kUnavailable);
  CHECK(OutcomeOf({.kind = Answer::Kind::kTimeout}) == Outcome::kUnanswered);
  CHECK(OutcomeOf({.kind = Answer::Kind::kReset}) == Outcome::kUnanswered);
  CHECK(OutcomeOf({.kind = Answer::Kind::kUnreachable}) == Outcome::kUnanswered);
}

TEST_CASE("the worst outcome is the exit status") {
  const Answer stored = Response(2, 1);
  const Answer refused = Response(4, 0);
  const Answer busy = Response(5, 3);
  const Answer none = {.kind = Answer::Kind::kTimeout};
  CHECK(StatusOf({}) == kExitOk);
  CHECK(StatusOf({stored, stored}) == kExitOk);
  CHECK(StatusOf({refused, stored}) == kExitRefused);
  CHECK(StatusOf({refused, busy, stored}) == kExitUnavailable);
  CHECK(StatusOf({none, refused, busy, stored}) == kExitUnanswered);
}

TEST_CASE("what was sent and not answered counts as unanswered") {
  Tally tally;
  tally.CountSent();
  tally.CountSent();
  tally.Count(Outcome::kStored);
  CHECK(tally.ExitStatus() == kExitUnanswered);
  CHECK(tally.Summary() == "2 sent: 1 stored, 0 refused, 0 unavailable, 1 unanswered");
}

TEST_CASE("an event that cannot be sent is a failure, and answers outweigh it") {
  Tally tally;
  tally.CountFailure();
  CHECK(tally.ExitStatus() == kExitFailed);
  tally.CountSent();
  tally.Count(Outcome::kRefused);
  CHECK(tally.ExitStatus() == kExitRefused);
}

}  // namespace
}  // namespace collector::client
