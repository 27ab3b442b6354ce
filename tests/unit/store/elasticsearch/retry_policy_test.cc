#include "collector/store/elasticsearch/retry_policy.h"

#include "collector/base/clock.h"
#include "collector/store/elasticsearch/breaker.h"
#include "tests/unit/catch.h"

namespace collector {

TEST_CASE("an item's outcome") {
  CHECK(JudgeItem(201, "") == Outcome::kStored);
  CHECK(JudgeItem(200, "") == Outcome::kStored);
  CHECK(JudgeItem(409, "version_conflict_engine_exception") == Outcome::kDuplicate);
  CHECK(JudgeItem(400, "mapper_parsing_exception") == Outcome::kRefused);
  CHECK(JudgeItem(400, "document_parsing_exception") == Outcome::kRefused);
  CHECK(JudgeItem(404, "anything") == Outcome::kRefused);
  CHECK(JudgeItem(422, "") == Outcome::kRefused);
  CHECK(JudgeItem(501, "") == Outcome::kRefused);
  for (const int status : {429, 500, 502, 503, 504})
    CHECK(JudgeItem(status, "") == Outcome::kNotNow);
  CHECK(JudgeItem(429, "es_rejected_execution_exception") == Outcome::kNotNow);
  CHECK(JudgeItem(400, "rejected_execution_exception") == Outcome::kNotNow);
  CHECK(JudgeItem(403, "cluster_block_exception") == Outcome::kNotNow);
  CHECK(JudgeItem(202, "") == Outcome::kNotNow);
  CHECK(JudgeItem(302, "") == Outcome::kNotNow);
}

TEST_CASE("what an operator can mend costs no event") {
  CHECK(JudgeItem(404, "index_not_found_exception") == Outcome::kNotNow);
  CHECK(JudgeItem(400, "index_closed_exception") == Outcome::kNotNow);
  CHECK(JudgeItem(400, "validation_exception") == Outcome::kNotNow);
  CHECK(JudgeItem(403, "security_exception") == Outcome::kNotNow);
  CHECK(JudgeItem(401, "") == Outcome::kNotNow);
}

TEST_CASE("a request's fate") {
  CHECK(JudgeRequest(200) == RequestFate::kAnswered);
  CHECK(JudgeRequest(413) == RequestFate::kTooLarge);
  CHECK(JudgeRequest(429) == RequestFate::kBusy);
  for (const int status : {0, 201, 302, 400, 401, 403, 404, 406, 500, 501, 503}) {
    CHECK(JudgeRequest(status) == RequestFate::kFailed);
  }
}

TEST_CASE("back-off doubles up to its cap, with full jitter") {
  constexpr std::uint64_t kMost = 5'000'000'000;
  for (const auto& [attempts, ms] :
       {std::pair{1, 100}, {2, 200}, {3, 400}, {6, 3'200}, {7, 5'000}, {60, 5'000}}) {
    const std::int64_t limit_ns = ms * kNsPerMs;
    CHECK(BackOffNs(100, 5'000, attempts, static_cast<std::uint64_t>(limit_ns)) == limit_ns);
    CHECK(BackOffNs(100, 5'000, attempts, static_cast<std::uint64_t>(limit_ns) + 1) == 0);
    CHECK(BackOffNs(100, 5'000, attempts, 0) == 0);
  }
  CHECK(BackOffNs(100, 5'000, 9, kMost) == 5'000 * kNsPerMs);
}

TEST_CASE("the breaker opens after failures in a row, probes, and closes on success") {
  Breaker breaker(3, 1'000);
  breaker.Failed(1);
  breaker.Failed(2);
  breaker.Succeeded();
  breaker.Failed(3);
  breaker.Failed(4);
  CHECK_FALSE(breaker.open());
  breaker.Failed(5);
  CHECK(breaker.open());
  CHECK_FALSE(breaker.MayProbe(1'004));
  CHECK(breaker.probe_due_ns() == 1'005);
  REQUIRE(breaker.MayProbe(1'005));
  breaker.ProbeSent(1'200);
  CHECK_FALSE(breaker.MayProbe(9'000));  // one at a time
  breaker.ProbeEnded();
  breaker.Failed(1'201);
  CHECK(breaker.probe_due_ns() == 2'200);
  CHECK(breaker.MayProbe(2'200));
  breaker.Succeeded();
  CHECK_FALSE(breaker.open());
}

}  // namespace collector
