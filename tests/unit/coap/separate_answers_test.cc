#include <vector>

#include "tests/fakes/collector_core.h"
#include "tests/unit/catch.h"

namespace collector {
namespace {

const AddressPair kPeer = WirePeer(0x000002, 40'000);
const std::string kRequest = WirePost(WireType::kCon, 7, "tok", WireEvent("o", 1));

std::vector<WireAnswer> Sent(CollectorCore* core) {
  std::vector<WireAnswer> answers;
  for (const auto& sent : core->TakeSent()) answers.push_back(ReadWire(sent.bytes));
  return answers;
}

// Asks, waits for the empty acknowledgement, commits; returns the separate answer.
WireAnswer AskSlowly(CollectorCore* core, const AddressPair& peer = kPeer,
                     const std::string& request = kRequest) {
  core->Receive(peer, request);
  core->TurnMs(core->now_ms + 1'000);
  core->TakeSent();
  core->store.CommitAll();
  const auto sent = Sent(core);
  REQUIRE(sent.size() == 1);
  return sent[0];
}

// Lets the time pass in steps of 10 ms, and returns when each datagram was sent.
std::vector<std::int64_t> SentAtMs(CollectorCore* core, std::int64_t for_ms) {
  std::vector<std::int64_t> times;
  for (const std::int64_t end_ms = core->now_ms + for_ms; core->now_ms < end_ms;) {
    core->TurnMs(core->now_ms + 10);
    for (std::size_t n = core->TakeSent().size(); n > 0; --n) times.push_back(core->now_ms);
  }
  return times;
}

}  // namespace

TEST_CASE("a request that waits for a second is acknowledged, its answer comes separately") {
  CollectorCore core;
  core.Receive(kPeer, kRequest);
  CHECK(core.layer.due_ns() == 2'000 * kNsPerMs);
  core.TurnMs(1'999);
  CHECK(Sent(&core).empty());
  core.TurnMs(2'000);
  auto sent = Sent(&core);
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].type == WireType::kAck);
  CHECK(sent[0].code == 0);
  CHECK(sent[0].id == 7);
  CHECK(sent[0].token.empty());
  CHECK(core.layer.due_ns() == kNever);
  core.TurnMs(5'000);
  CHECK(Sent(&core).empty());

  core.store.CommitAll();
  sent = Sent(&core);
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].type == WireType::kCon);
  CHECK(sent[0].code == 0x41);
  CHECK(sent[0].token == "tok");
  CHECK(core.layer.pending() == 0);
  CHECK(core.layer.separate_waiting() == 1);
  CHECK(core.layer.due_ns() >= 7'000 * kNsPerMs);
  CHECK(core.layer.due_ns() <= 8'000 * kNsPerMs);
  core.Receive(kPeer, WireHeader(WireType::kAck, 0, sent[0].id, ""));
  CHECK(core.layer.separate_waiting() == 0);
  CHECK(core.layer.due_ns() == kNever);
  CHECK(SentAtMs(&core, 100'000).empty());
}

TEST_CASE("only requests whose time has come are acknowledged, whatever was answered meanwhile") {
  CollectorCore core;
  for (std::uint16_t id = 0; id < 10; ++id) {
    core.SetTimeMs(1'000 + 100 * id);
    core.Receive(kPeer, WirePost(WireType::kCon, id, "t", WireEvent("o", id)));
    core.Receive(kPeer, WirePost(WireType::kNon, static_cast<std::uint16_t>(100 + id), "n",
                                 WireEvent("n", id)));
  }
  core.store.Commit(2);  // id 0 and its neighbour
  core.TakeSent();
  core.TurnMs(2'300);
  const auto sent = Sent(&core);
  REQUIRE(sent.size() == 3);
  for (std::uint16_t i = 0; i < 3; ++i) {
    CHECK(sent[i].type == WireType::kAck);
    CHECK(sent[i].id == i + 1);
  }
  CHECK(core.layer.due_ns() == 2'400 * kNsPerMs);
  core.store.CommitAll();
  CHECK(core.layer.due_ns() != 2'400 * kNsPerMs);
  CHECK(core.layer.separate_waiting() == 3);
}

TEST_CASE("a retransmission of a pending request is acknowledged each time") {
  CollectorCore core;
  core.Receive(kPeer, kRequest);
  core.SetTimeMs(1'500);
  for (int i = 0; i < 2; ++i) {
    core.Receive(kPeer, kRequest);
    const auto sent = Sent(&core);
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].type == WireType::kAck);
    CHECK(sent[0].code == 0);
    CHECK(sent[0].id == 7);
  }
  CHECK(core.layer.due_ns() == kNever);
  core.store.CommitAll();
  const auto sent = Sent(&core);
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].type == WireType::kCon);
  CHECK(core.store.stored.size() == 1);
}

TEST_CASE("a duplicate of a pending non-confirmable request is not acknowledged") {
  CollectorCore core;
  const std::string request = WirePost(WireType::kNon, 7, "tok", WireEvent("o", 1));
  core.Receive(kPeer, request);
  core.Receive(kPeer, request);
  core.TurnMs(10'000);
  CHECK(Sent(&core).empty());
  core.store.CommitAll();
  const auto sent = Sent(&core);
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].type == WireType::kNon);
}

TEST_CASE("a separate answer is sent again, at doubling times, and then given up") {
  CollectorCore core;
  AskSlowly(&core);
  const std::int64_t sent_ms = core.now_ms;
  SECTION("twice to a peer that never acknowledged anything") {
    const auto times = SentAtMs(&core, 300'000);
    REQUIRE(times.size() == 2);
    const std::int64_t first = times[0] - sent_ms;
    CHECK(first >= 2'000);
    CHECK(first <= 3'010);
    CHECK(std::abs(times[1] - times[0] - 2 * first) <= 20);
  }
  SECTION("four times to one that did") {
    core.Receive(
        kPeer,
        WireHeader(WireType::kAck, 0,
                   AskSlowly(&core, kPeer, WirePost(WireType::kCon, 8, "u", WireEvent("o", 2))).id,
                   ""));
    const auto times = SentAtMs(&core, 300'000);
    REQUIRE(times.size() == 4);
    CHECK(std::abs(times[3] - times[2] - 2 * (times[2] - times[1])) <= 20);
  }
  CHECK(core.layer.separate_waiting() == 0);
  CHECK(core.metrics.coap.separate_given_up.Get() == 1);
}

TEST_CASE("a separate answer is sent the same each time") {
  CollectorCore core;
  core.Receive(kPeer, kRequest);
  core.TurnMs(2'000);
  core.TakeSent();
  core.store.CommitAll();
  const auto first = core.TakeSent();
  core.TurnMs(6'000);
  const auto second = core.TakeSent();
  REQUIRE(first.size() == 1);
  REQUIRE(second.size() == 1);
  CHECK(first[0].bytes == second[0].bytes);
}

TEST_CASE("only its own peer's acknowledgement or reset of its message id ends a separate answer") {
  CollectorCore core;
  const std::uint16_t id = AskSlowly(&core).id;
  core.Receive(WirePeer(3, 40'000), WireHeader(WireType::kAck, 0, id, ""));
  core.Receive(WirePeer(2, 40'001), WireHeader(WireType::kRst, 0, id, ""));
  core.Receive(kPeer, WireHeader(WireType::kAck, 0, static_cast<std::uint16_t>(id + 1), ""));
  core.Receive(kPeer, WireHeader(WireType::kAck, 0x41, id, "tok"));
  core.Receive(kPeer, WireHeader(WireType::kNon, 0x41, id, "tok"));
  CHECK(core.layer.separate_waiting() == 1);
  core.Receive(kPeer, WireHeader(WireType::kRst, 0, id, ""));
  CHECK(core.layer.separate_waiting() == 0);
  CHECK(core.metrics.coap.separate_reset.Get() == 1);
  CHECK(core.TakeSent().empty());
}

TEST_CASE("a retransmission after the separate answer carries the code on its acknowledgement") {
  CollectorCore core;
  AskSlowly(&core);
  core.Receive(kPeer, kRequest);
  const auto sent = Sent(&core);
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].type == WireType::kAck);
  CHECK(sent[0].code == 0x41);
  CHECK(sent[0].id == 7);
  CHECK(sent[0].token == "tok");
  CHECK(core.store.stored.size() == 1);
}

TEST_CASE("beyond its limit a separate answer is sent once, non-confirmable") {
  CollectorCore core({.exchanges_pending_max = 2});
  for (std::uint16_t id = 0; id < 2; ++id) {
    AskSlowly(&core, kPeer, WirePost(WireType::kCon, id, "t", WireEvent("o", id)));
  }
  CHECK(core.layer.separate_waiting() == 2);
  const WireAnswer third =
      AskSlowly(&core, kPeer, WirePost(WireType::kCon, 2, "third", WireEvent("o", 2)));
  CHECK(third.type == WireType::kNon);
  CHECK(third.code == 0x41);
  CHECK(third.token == "third");
  CHECK(core.layer.separate_waiting() == 2);
  CHECK(core.metrics.coap.separate_unconfirmed.Get() == 1);
}

}  // namespace collector
