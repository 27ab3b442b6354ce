#include "collector/handlers/events.h"

#include "tests/fakes/collector_core.h"
#include "tests/unit/catch.h"

namespace collector {
namespace {

const AddressPair kPeer = WirePeer(2, 40'000);

unsigned CodeOf(CollectorCore* core, std::string_view payload) {
  static std::uint16_t id = 0;
  core->Receive(kPeer, WirePost(WireType::kCon, ++id, "t", payload));
  core->store.CommitAll();
  const auto sent = core->TakeSent();
  REQUIRE(sent.size() == 1);
  return ReadWire(sent[0].bytes).code;
}

}  // namespace

TEST_CASE("the answer follows from the outcome and from nothing else") {
  CollectorCore core;
  const std::string request = WirePost(WireType::kCon, 1, "t", WireEvent("o", 1));
  const auto answer_to = [&](Outcome outcome) {
    core.Receive(kPeer, request);
    core.store.Fail(outcome);
    return ReadWire(core.TakeSent().at(0).bytes).code;
  };
  CHECK(answer_to(Outcome::kNotNow) == 0xa3);
  CHECK(answer_to(Outcome::kRefused) == 0x96);
  CHECK(answer_to(Outcome::kDuplicate) == 0x41);
}

TEST_CASE("the same event in two requests is stored once and answered 2.01 twice") {
  CollectorCore core;
  const std::string event = WireEvent("o", 1, "2026-11-21T05:00:00Z");
  CHECK(CodeOf(&core, event) == 0x41);
  CHECK(CodeOf(&core, event) == 0x41);
  CHECK(core.store.stored.size() == 1);
  CHECK(core.metrics.events.duplicate.Get() == 1);
}

TEST_CASE("two readings alike in all but their arrival are two events") {
  CollectorCore core;
  CHECK(CodeOf(&core, WireEvent("o", 1)) == 0x41);
  CHECK(CodeOf(&core, WireEvent("o", 1)) == 0x41);
  CHECK(core.store.stored.size() == 2);
}

TEST_CASE("two readings a microsecond apart are two events") {
  CollectorCore core;
  CHECK(CodeOf(&core, WireEvent("o", 1, "2026-11-21T05:00:00.000001Z")) == 0x41);
  CHECK(CodeOf(&core, WireEvent("o", 1, "2026-11-21T05:00:00.000002Z")) == 0x41);
  CHECK(core.store.stored.size() == 2);
}

TEST_CASE("limits of count and bytes are answered 5.03 with Max-Age, and are given back") {
  CollectorCore core({}, {.pending_events_max = 2, .pending_bytes_max = 200});
  core.Receive(kPeer, WirePost(WireType::kCon, 1, "t", WireEvent("o", 1)));
  core.Receive(kPeer, WirePost(WireType::kCon, 2, "t", WireEvent("o", 2)));
  CHECK(core.TakeSent().empty());
  core.Receive(kPeer, WirePost(WireType::kCon, 3, "t", WireEvent("o", 3)));
  const auto full = core.TakeSent();
  REQUIRE(full.size() == 1);
  CHECK(ReadWire(full[0].bytes).code == 0xa3);
  CHECK(full[0].bytes[5] == '\xd1');  // one byte of option 14, Max-Age
  CHECK(full[0].bytes[6] == '\x01');
  core.store.CommitAll();
  CHECK(core.TakeSent().size() == 2);
  CHECK(core.metrics.events.pending_bytes.Get() == 0);
  CHECK(CodeOf(&core, WireEvent(std::string(140, 'o'), 1)) == 0xa3);  // bytes
  CHECK(CodeOf(&core, WireEvent("o", 4)) == 0x41);
}

TEST_CASE("it is known since when the oldest pending event waits") {
  CollectorCore core;
  const auto oldest_ms = [&core] {
    return core.metrics.events.oldest_ns.Get() / static_cast<std::uint64_t>(kNsPerMs);
  };
  const auto post = [&core](std::uint16_t id, const std::string& body, std::int64_t ms) {
    core.SetTimeMs(ms);
    core.Receive(kPeer, WirePost(WireType::kCon, id, "t", body));
  };
  CHECK(oldest_ms() == 0);
  post(1, "[" + WireEvent("o", 1) + "," + WireEvent("o", 2) + "]", 2'000);
  post(2, WireEvent("o", 3), 3'000);
  post(3, WireEvent("o", 4), 4'000);
  CHECK(oldest_ms() == 2'000);
  for (int i = 0; i < 2; ++i) core.store.Postpone();
  core.store.Commit(1);  // the one in the middle
  CHECK(oldest_ms() == 2'000);
  core.store.Postpone();
  core.store.Commit(1);  // one of the oldest's two
  CHECK(oldest_ms() == 2'000);
  core.store.Commit(1);
  CHECK(oldest_ms() == 4'000);
  core.store.CommitAll();
  CHECK(oldest_ms() == 0);
}

TEST_CASE("a payload over the limit, or cut by the socket, is 4.13 with Size1") {
  CollectorCore core({}, {.payload_bytes_max = 128});
  CHECK(CodeOf(&core, WireEvent(std::string(128, 'o'), 1)) == 0x8d);
  core.Receive(kPeer, WirePost(WireType::kCon, 999, "t", "{"), true);
  CHECK(ReadWire(core.TakeSent().at(0).bytes).code == 0x8d);
}

TEST_CASE("all events of an array are stored before the 2.01") {
  CollectorCore core;
  core.Receive(kPeer,
               WirePost(WireType::kCon, 1, "t",
                        WireArray({WireEvent("a", 1), WireEvent("b", 2), WireEvent("c", 3)})));
  CHECK(core.events.pending() == 3);
  core.store.Commit(2);
  CHECK(core.TakeSent().empty());
  CHECK(core.events.pending() == 1);
  core.store.Commit(1);
  const auto sent = core.TakeSent();
  REQUIRE(sent.size() == 1);
  CHECK(ReadWire(sent[0].bytes).code == 0x41);
  CHECK(core.store.stored.size() == 3);
  CHECK(core.metrics.events.pending_bytes.Get() == 0);
}

TEST_CASE("an array is answered by the worst that became of its events") {
  using Outcomes = std::vector<Outcome>;
  const auto answer_to = [](const Outcomes& outcomes) {
    CollectorCore core;
    std::vector<std::string> events;
    for (std::size_t i = 0; i < outcomes.size(); ++i) events.push_back(WireEvent("o", i));
    core.Receive(kPeer, WirePost(WireType::kCon, 1, "t", WireArray(events)));
    for (const Outcome outcome : outcomes) core.store.Fail(outcome, "mapping");
    const auto sent = core.TakeSent();
    REQUIRE(sent.size() == 1);
    CHECK(core.events.pending() == 0);
    return ReadWire(sent[0].bytes).code;
  };
  constexpr Outcome kStored = Outcome::kStored;
  constexpr Outcome kDuplicate = Outcome::kDuplicate;
  constexpr Outcome kRefused = Outcome::kRefused;
  constexpr Outcome kNotNow = Outcome::kNotNow;
  CHECK(answer_to({kStored, kDuplicate, kStored}) == 0x41);
  CHECK(answer_to({kDuplicate, kDuplicate}) == 0x41);
  CHECK(answer_to({kStored, kRefused, kDuplicate}) == 0x96);
  CHECK(answer_to({kStored, kNotNow, kStored}) == 0xa3);
  CHECK(answer_to({kNotNow, kRefused}) == 0xa3);
  CHECK(answer_to({kRefused, kNotNow}) == 0xa3);
}

TEST_CASE("an array with one bad event is refused whole") {
  CollectorCore core;
  CHECK(CodeOf(&core, WireArray({WireEvent("a", 1), R"({"namespace":"n"})"})) == 0x80);
  CHECK(core.store.stored.empty());
}

TEST_CASE("equal events of one array are events each, and a retransmission adds none") {
  CollectorCore core({.exchanges_remembered_max = 16});
  const std::string request = WirePost(
      WireType::kCon, 1, "t", WireArray({WireEvent("o", 1), WireEvent("o", 1), WireEvent("o", 1)}));
  core.Receive(kPeer, request);
  core.store.Commit(2);
  core.store.Fail(Outcome::kNotNow);
  CHECK(ReadWire(core.TakeSent().at(0).bytes).code == 0xa3);
  CHECK(core.store.stored.size() == 2);
  core.SetTimeMs(5'000);
  core.Receive(kPeer, request);  // told "not now", the device sends it again
  core.store.CommitAll();
  CHECK(ReadWire(core.TakeSent().at(0).bytes).code == 0x41);
  CHECK(core.store.stored.size() == 3);
  CHECK(core.metrics.events.duplicate.Get() == 2);
}

TEST_CASE("an array of one event is that event") {
  CollectorCore core;
  const std::string event = WireEvent("o", 1, "2026-11-21T05:00:00Z");
  CHECK(CodeOf(&core, event) == 0x41);
  CHECK(CodeOf(&core, WireArray({event})) == 0x41);
  CHECK(core.store.stored.size() == 1);
}

TEST_CASE("an array is taken whole or not at all") {
  CollectorCore core({}, {.pending_events_max = 3});
  const auto array = [](std::size_t count) {
    return WireArray(std::vector<std::string>(count, WireEvent("o", 1)));
  };
  core.Receive(kPeer, WirePost(WireType::kCon, 1, "t", array(2)));
  core.Receive(kPeer, WirePost(WireType::kCon, 2, "t", array(2)));
  CHECK(ReadWire(core.TakeSent().at(0).bytes).code == 0xa3);
  CHECK(core.events.pending() == 2);
  core.Receive(kPeer, WirePost(WireType::kCon, 3, "t", array(1)));
  CHECK(core.events.pending() == 3);
  core.store.CommitAll();
  CHECK(core.TakeSent().size() == 2);
  CHECK(CodeOf(&core, array(4)) == 0x8d);  // never: there is no use in sending it again
}

TEST_CASE("a relative time counts from arrival, and tells no two exchanges' events apart") {
  CollectorCore core;
  const auto post = [&core](std::uint16_t id) {
    core.Receive(kPeer, WirePost(WireType::kCon, id, "t",
                                 R"([{"n":"a","v":1,"t":-5},{"n":"a","v":1,"t":-5}])", 110));
    CHECK(core.store.TimestampNs() == (CollectorCore::kWallStartMs + 1'000 - 5'000) * kNsPerMs);
    core.store.CommitAll();
    CHECK(ReadWire(core.TakeSent().at(0).bytes).code == 0x41);
  };
  post(1);
  post(2);
  CHECK(core.store.stored.size() == 4);
}

TEST_CASE("a draining collector takes nothing new and completes what it has") {
  CollectorCore core;
  core.Receive(kPeer, WirePost(WireType::kCon, 1, "t", WireEvent("o", 1)));
  core.events.StopTaking();
  core.Receive(kPeer, WirePost(WireType::kCon, 2, "t", WireEvent("o", 2)));
  CHECK(ReadWire(core.TakeSent().at(0).bytes).code == 0xa3);
  core.store.CommitAll();
  CHECK(ReadWire(core.TakeSent().at(0).bytes).code == 0x41);
  CHECK(core.store.stored.size() == 1);
}

}  // namespace collector
