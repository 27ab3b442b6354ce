#include "event/event_id.h"

#include "tests/unit/catch.h"

namespace collector {
namespace {

constexpr std::int64_t kTime = 1'527'862'104'772'000'000;

Event Reading() {
  Event event;
  event.name_space = "default";
  event.sender = "demoMemoria";
  event.origin = "probe1";
  event.type = "temperature";
  event.value = 16.5;
  return event;
}

constexpr const char* kPayload = R"({"type":"temperature","value":16.5})";

}  // namespace

TEST_CASE("an id is the same for ever") {
  EventIdHasher hasher;
  // Pinned: a change of this value would store every resent event twice after an upgrade.
  CHECK(ToHex(hasher.Hash(Reading(), kPayload, kTime, 0)) == "0163bbad92c480304a73995ded645265");
}

TEST_CASE("an id differs with each thing that makes another event") {
  EventIdHasher hasher;
  const EventId id = hasher.Hash(Reading(), kPayload, kTime, 0);
  Event other = Reading();
  other.origin = "probe2";
  CHECK(hasher.Hash(other, kPayload, kTime, 0) != id);
  other = Reading();
  other.client_id = "1";
  CHECK(hasher.Hash(other, kPayload, kTime, 0) != id);
  CHECK(hasher.Hash(Reading(), kPayload, kTime + 1, 0) != id);
  CHECK(hasher.Hash(Reading(), kPayload, kTime, 1) != id);
  CHECK(hasher.Hash(Reading(), R"({"type":"temperature","value":16.6})", kTime, 0) != id);
}

TEST_CASE("equal events of one request differ by their place, and the first is as if alone") {
  EventIdHasher hasher;
  const EventId alone = hasher.Hash(Reading(), kPayload, kTime, 7);
  CHECK(hasher.Hash(Reading(), kPayload, kTime, 7, 0) == alone);
  CHECK(hasher.Hash(Reading(), kPayload, kTime, 7, 1) != alone);
  CHECK(hasher.Hash(Reading(), kPayload, kTime, 7, 1) !=
        hasher.Hash(Reading(), kPayload, kTime, 7, 2));
  CHECK(ToHex(hasher.Hash(Reading(), kPayload, kTime, 7, 1)) == "0163bbad92c4eb3528040b0b7fb69a0a");
}

TEST_CASE("no two lists of names make the same bytes") {
  EventIdHasher hasher;
  Event left = Reading();
  left.name_space = "ab";
  left.sender = "c";
  Event right = Reading();
  right.name_space = "a";
  right.sender = "bc";
  CHECK(hasher.Hash(left, kPayload, kTime, 0) != hasher.Hash(right, kPayload, kTime, 0));
}

TEST_CASE("ids sort by time") {
  EventIdHasher hasher;
  EventId before{};
  for (std::int64_t ms = 1; ms < 400'000'000'000; ms = ms * 3 + 1) {
    const EventId id = hasher.Hash(Reading(), kPayload, ms * 1'000'000, 0);
    CHECK(before < id);
    before = id;
  }
}

}  // namespace collector
