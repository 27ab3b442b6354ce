#include "collector/store/elasticsearch/bulk.h"

#include "collector/store/elasticsearch/batching.h"
#include "collector/store/elasticsearch/bulk_codec.h"
#include "tests/fakes/events.h"
#include "tests/unit/catch.h"

namespace collector {
namespace {

std::string LinesOf(std::uint64_t number) {
  std::string lines;
  AppendCreate(TestEvent(number).stored(), &lines);
  return lines;
}

void Fill(Bulk* bulk, Outcomes* outcomes, std::uint32_t first, std::uint32_t count) {
  for (std::uint32_t i = first; i < first + count; ++i) {
    bulk->Add(TestEvent(i).stored(), 100 + i, Completion(outcomes, i));
  }
}

void FinishAll(Bulk* bulk) {
  for (BulkItem& item : bulk->items) {
    if (item.done.has_value()) bulk->Complete(&item).Finish(Outcome::kStored);
  }
}

}  // namespace

TEST_CASE("a bulk's body is the lines of its items") {
  Outcomes outcomes;
  Bulk bulk;
  Fill(&bulk, &outcomes, 7, 2);
  CHECK(bulk.body == LinesOf(7) + LinesOf(8));
  CHECK(bulk.bytes() == bulk.body.size());
  CHECK(bulk.items[0].end == LinesOf(7).size());
  FinishAll(&bulk);
}

TEST_CASE("what is open moves, with its lines and in its order, and nothing else") {
  Outcomes outcomes;
  Bulk bulk;
  Fill(&bulk, &outcomes, 0, 12);
  for (const std::size_t i : {0u, 4u, 5u, 11u}) {
    bulk.Complete(&bulk.items[i]).Finish(Outcome::kStored);
  }
  CHECK(bulk.open == 8);
  Bulk to;
  Fill(&to, &outcomes, 100, 1);
  bulk.MoveOpen(3, &to);
  CHECK(bulk.size() == 3);
  CHECK(bulk.open == 2);
  CHECK(bulk.body == LinesOf(0) + LinesOf(1) + LinesOf(2));
  CHECK(to.body == LinesOf(100) + LinesOf(3) + LinesOf(6) + LinesOf(7) + LinesOf(8) + LinesOf(9) +
                       LinesOf(10));
  CHECK(to.open == 7);
  CHECK(to.bytes() == to.body.size());
  CHECK(to.items[1].deadline_ns == 103);
  CHECK(to.items.back().deadline_ns == 110);
  FinishAll(&bulk);
  FinishAll(&to);
  CHECK(outcomes.all.size() == 13);
}

TEST_CASE("a lone event goes out at once, a second request only with its share") {
  const auto worth = [](std::size_t requests, std::size_t in_flight, std::size_t waiting,
                        std::int64_t age_ms = 1) {
    return IsWorthARequest({.requests_in_flight = requests,
                            .events_in_flight = in_flight,
                            .oldest_sent_ns = 5'000,
                            .events_waiting = waiting},
                           5'000 + age_ms * kNsPerMs);
  };
  CHECK_FALSE(worth(0, 0, 0));
  CHECK(worth(0, 0, 1));
  CHECK(worth(1, 1, 1));
  CHECK_FALSE(worth(1, 100, 49));
  CHECK(worth(1, 100, 50));
  CHECK_FALSE(worth(3, 300, 49));
  CHECK(worth(3, 300, 50));
  // A request that hangs does not hold back a trickle.
  CHECK_FALSE(worth(1, 5'000, 1, 99));
  CHECK(worth(1, 5'000, 1, 100));
  CHECK_FALSE(worth(1, 5'000, 0, 100));
}

}  // namespace collector
