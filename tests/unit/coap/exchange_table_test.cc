#include "collector/coap/exchange_table.h"

#include <random>
#include <unordered_map>

#include "tests/unit/catch.h"

namespace collector {

using State = ExchangeTable::State;

TEST_CASE("an exchange is pending, then answered, then forgotten after its lifetime") {
  ExchangeTable table(16);
  CHECK(table.Find(7, 0) == ExchangeTable::kNone);
  table.Insert(7, 70, 3, 1'000);
  REQUIRE(table.Find(7, 1'000) != ExchangeTable::kNone);
  CHECK(table.At(table.Find(7, 1'000)).state == State::kPending);
  CHECK(table.At(table.Find(7, 1'000)).ticket() == 3);
  CHECK(table.At(table.Find(7, 1'000)).request_hash == 70);
  table.Answered(7, 3, 0, {0x41, true, 1'795'238'058'596});
  const auto& answered = table.At(table.Find(7, 2'000));
  CHECK(answered.state == State::kAnswered);
  CHECK(answered.code == 0x41);
  CHECK(answered.arrived_wall_ms() == 1'795'238'058'596);
  CHECK(table.Find(7, 1'000 + kExchangeLifetimeMs) != ExchangeTable::kNone);
  CHECK(table.Find(7, 1'001 + kExchangeLifetimeMs) == ExchangeTable::kNone);
}

TEST_CASE("a pending exchange outlives the lifetime, whatever the clock's width") {
  ExchangeTable table(16);
  const std::int64_t wraps = 0xffff'ff00;
  table.Insert(7, 70, 3, wraps);
  CHECK(table.Find(7, wraps + 10 * kExchangeLifetimeMs) != ExchangeTable::kNone);
  table.Answered(7, 3, 0, {0x41, true, 1});
  CHECK(table.Find(7, wraps + 1'000) != ExchangeTable::kNone);
  CHECK(table.Find(7, wraps + kExchangeLifetimeMs + 1) == ExchangeTable::kNone);
}

TEST_CASE("an answer belongs to the exchange that has its ticket") {
  ExchangeTable table(16);
  table.Insert(7, 70, 3, 0);
  table.Insert(7, 71, 4, 0);  // the same key, another request
  table.Answered(7, 3, 0, {0x41, true, 1});
  CHECK(table.At(table.Find(7, 0)).state == State::kPending);
  CHECK(table.size() == 1);
}

TEST_CASE("when full, the oldest answered goes out and pending ones stay") {
  ExchangeTable table(16);
  for (std::uint64_t key = 1; key <= 16; ++key) table.Insert(key, 0, 0, 0);
  for (std::uint64_t key = 3; key <= 16; ++key) table.Answered(key, 0, 0, {0x41, true, 1});
  table.Insert(17, 0, 0, 0);
  CHECK(table.Find(1, 0) != ExchangeTable::kNone);
  CHECK(table.Find(2, 0) != ExchangeTable::kNone);
  CHECK(table.Find(3, 0) == ExchangeTable::kNone);
  CHECK(table.Find(4, 0) != ExchangeTable::kNone);
  CHECK(table.size() == 16);
}

TEST_CASE("a table of nothing but pending exchanges still takes a new one") {
  ExchangeTable table(16);
  for (std::uint64_t key = 1; key <= 40; ++key) table.Insert(key, 0, 0, 0);
  CHECK(table.size() == 16);
  CHECK(table.Find(40, 0) != ExchangeTable::kNone);
}

TEST_CASE("the table agrees with a map of the last exchanges, for many seeds") {
  const auto seed = GENERATE(range(1u, 6u));
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  ExchangeTable table(64);
  std::unordered_map<std::uint64_t, std::uint32_t> model;  // key to request hash
  std::vector<std::uint64_t> order;
  for (int step = 0; step < 1'000; ++step) {
    // Few home slots, so that probing runs over each other's places.
    const std::uint64_t key = (random() % 4) | (random() % 60) << 32;
    const auto request_hash = static_cast<std::uint32_t>(random());
    table.Insert(key, request_hash, 0, 0);
    table.Answered(key, 0, 0, {0x41, true, 1});
    std::erase(order, key);
    order.push_back(key);
    model[key] = request_hash;
    for (const auto& [known, hash] : model) {
      const auto place = table.Find(known, 0);
      const auto age = std::find(order.rbegin(), order.rend(), known) - order.rbegin();
      if (place == ExchangeTable::kNone) {
        CHECK(age > 0);  // the youngest is always there
      } else {
        CHECK(table.At(place).request_hash == hash);
      }
    }
  }
  CHECK(table.size() <= 64);
}

}  // namespace collector
