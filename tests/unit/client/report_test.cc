#include "client/report.h"

#include "tests/unit/catch.h"

namespace collector::client {
namespace {

Ended Stored() {
  return {.event = "{\"a\":1}",
          .answer = {.kind = Answer::Kind::kResponse,
                     .code_class = 2,
                     .code_detail = 1,
                     .retransmissions = 0},
          .took = std::chrono::microseconds(1'234)};
}

Ended Busy() {
  Ended ended = Stored();
  ended.answer.code_class = 5;
  ended.answer.code_detail = 3;
  ended.answer.payload = "store\nfull";
  ended.answer.max_age_s = 7;
  ended.answer.retransmissions.reset();
  ended.attempts = 3;
  return ended;
}

TEST_CASE("a JSON line an event") {
  CHECK(JsonLine(Stored()) ==
        "{\"code\":\"2.01\",\"milliseconds\":1.234,\"attempts\":1,\"retransmissions\":0,"
        "\"event\":{\"a\":1}}\n");
  CHECK(JsonLine(Busy()) ==
        "{\"code\":\"5.03\",\"milliseconds\":1.234,\"attempts\":3,\"max_age\":7,"
        "\"diagnostic\":\"store full\",\"event\":{\"a\":1}}\n");
  Ended unanswered = Stored();
  unanswered.answer = {.kind = Answer::Kind::kTimeout, .retransmissions = 4};
  CHECK(JsonLine(unanswered) ==
        "{\"code\":null,\"failure\":\"timeout\",\"milliseconds\":1.234,\"attempts\":1,"
        "\"retransmissions\":4,\"event\":{\"a\":1}}\n");
}

TEST_CASE("the lines that people read, and parse") {
  CHECK(PlainLines(Stored(), false) == "POST: /events > 2.01\n{\"a\":1}\n");
  CHECK(PlainLines(Busy(), false) ==
        "POST: /events > 5.03 store full (try again in 7 s)\n{\"a\":1}\n");
  CHECK(PlainLines(Stored(), true) == "POST: /events > \033[32m2.01\033[0m\n{\"a\":1}\n");
}

TEST_CASE("durations have three digits and a unit") {
  using std::chrono::microseconds;
  CHECK(DurationText(microseconds(0)) == "0.00 ms");
  CHECK(DurationText(microseconds(1'234)) == "1.23 ms");
  CHECK(DurationText(microseconds(12'345)) == "12.3 ms");
  CHECK(DurationText(microseconds(999'400)) == "999 ms");
  CHECK(DurationText(microseconds(999'600)) == "1.00 s");
  CHECK(DurationText(microseconds(93'000'000)) == "93.0 s");
}

}  // namespace
}  // namespace collector::client
