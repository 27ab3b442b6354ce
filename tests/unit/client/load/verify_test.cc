#include "client/load/verify.h"

#include <string>
#include <vector>

#include "tests/unit/catch.h"

namespace collector::client {
namespace {

RequestMaker Maker() { return RequestMaker::Create({.values = {"10.0", "11.5"}}).value(); }

const std::vector<SentEvent> kSent = {
    {.time_us = 2'000'007, .device = 1, .value = 0, .outcome = Outcome::kStored},
    {.time_us = 1'000'000, .device = 1, .value = 1, .outcome = Outcome::kStored},
    {.time_us = 1'000'000, .device = 0, .value = 1, .outcome = Outcome::kUnanswered},
    {.time_us = 1'500'000, .device = 0, .value = 0, .outcome = Outcome::kRefused},
    {.time_us = 1'600'000, .device = 2, .value = 0, .outcome = Outcome::kUnavailable},
};

StoredEvent Stored(const SentEvent& sent) {
  StoredEvent stored;
  stored.event.origin = "d00000" + std::to_string(sent.device);
  stored.event.type = "temperature";
  stored.event.value = sent.value == 0 ? Json(10) : Json(11.5);  // 10.0 is the same number
  stored.event.timestamp_ns = sent.time_us * 1'000;
  return stored;
}

VerifyReport Verified(const std::vector<StoredEvent>& store) {
  const RequestMaker maker = Maker();
  Verifier verifier(kSent, maker);
  CHECK(verifier.from_ns() == 1'000'000'000);
  CHECK(verifier.to_ns() == 2'000'007'000);
  for (const StoredEvent& stored : store) verifier.Take(stored);
  return verifier.Finish();
}

TEST_CASE("acknowledged events stored once are a proof, whatever became of unanswered ones") {
  const auto without = Verified({Stored(kSent[0]), Stored(kSent[1])});
  CHECK(without.proven());
  CHECK(without.events[static_cast<std::size_t>(Outcome::kUnanswered)][0] == 1);
  const auto with =
      Verified({Stored(kSent[1]), Stored(kSent[2]), Stored(kSent[0]), Stored(kSent[4])});
  CHECK(with.proven());
  CHECK(VerifyText(with, "x.db").find("verified: 2 acknowledged events, all stored once in x.db") ==
        0);
  CHECK(VerifyText(with, "x.db").find("1 unanswered: 1 of them stored, 0 not") !=
        std::string::npos);
}

TEST_CASE("a missing event is named") {
  const auto report = Verified({Stored(kSent[0])});
  CHECK_FALSE(report.proven());
  CHECK(report.missing() == 1);
  REQUIRE(report.examples.size() == 1);
  CHECK(report.examples[0] == "acknowledged, not stored: d000001 1970-01-01T00:00:01Z 11.5");
  CHECK(VerifyText(report, "x.db").find("NOT VERIFIED") == 0);
  CHECK(VerifyJson(report)["acknowledged"]["not_stored"] == 1);
}

TEST_CASE("an event stored twice is wrong, also one that was never answered") {
  CHECK(Verified({Stored(kSent[0]), Stored(kSent[1]), Stored(kSent[0])}).doubled() == 1);
  const auto report =
      Verified({Stored(kSent[0]), Stored(kSent[1]), Stored(kSent[2]), Stored(kSent[2])});
  CHECK(report.doubled() == 1);
  CHECK_FALSE(report.proven());
}

TEST_CASE("a refused event must not be stored") {
  const auto report = Verified({Stored(kSent[0]), Stored(kSent[1]), Stored(kSent[3])});
  CHECK(report.refused_stored() == 1);
  CHECK_FALSE(report.proven());
}

TEST_CASE("what is stored must be what was sent") {
  StoredEvent altered = Stored(kSent[0]);
  altered.event.value = 10.5;
  CHECK_FALSE(Verified({altered, Stored(kSent[1])}).proven());
  altered = Stored(kSent[0]);
  altered.event.extra = {{"unit", "C"}};
  CHECK(Verified({altered, Stored(kSent[1])}).altered == 1);
}

TEST_CASE("other events of the same sender are told, and no fault") {
  StoredEvent other = Stored(kSent[0]);
  other.event.timestamp_ns = 1'000'000'001;  // a nanosecond from one of ours
  StoredEvent stranger = Stored(kSent[0]);
  stranger.event.origin = "d1";
  const auto report = Verified({Stored(kSent[0]), Stored(kSent[1]), other, stranger});
  CHECK(report.others == 2);
  CHECK(report.proven());
}

}  // namespace
}  // namespace collector::client
