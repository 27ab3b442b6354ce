#include "collector/coap/message_layer.h"

#include "tests/fakes/collector_core.h"
#include "tests/unit/catch.h"

namespace collector {
namespace {

const AddressPair kPeer = WirePeer(0x000002, 40'000);
const std::string kEvent = WireEvent("o", 1, "2026-11-21T05:00:00Z");

WireAnswer OnlyAnswer(CollectorCore* core) {
  const auto sent = core->TakeSent();
  REQUIRE(sent.size() == 1);
  return ReadWire(sent[0].bytes);
}

}  // namespace

TEST_CASE("the answer to a confirmable request waits for the commit and is piggybacked") {
  CollectorCore core;
  core.Receive(kPeer, WirePost(WireType::kCon, 7, "tok", kEvent));
  CHECK(core.TakeSent().empty());
  CHECK(core.layer.pending() == 1);
  core.store.CommitAll();
  const WireAnswer answer = OnlyAnswer(&core);
  CHECK(answer.type == WireType::kAck);
  CHECK(answer.code == 0x41);
  CHECK(answer.id == 7);
  CHECK(answer.token == "tok");
  CHECK(core.layer.pending() == 0);
}

TEST_CASE("a non-confirmable request is answered non-confirmable") {
  CollectorCore core;
  core.Receive(kPeer, WirePost(WireType::kNon, 7, "tok", kEvent));
  core.store.CommitAll();
  const WireAnswer answer = OnlyAnswer(&core);
  CHECK(answer.type == WireType::kNon);
  CHECK(answer.code == 0x41);
  CHECK(answer.token == "tok");
}

TEST_CASE("a retransmission of a pending request is not processed again") {
  CollectorCore core;
  core.Receive(kPeer, WirePost(WireType::kCon, 7, "tok", WireEvent("o", 1)));
  core.SetTimeMs(3'000);
  core.Receive(kPeer, WirePost(WireType::kCon, 7, "tok", WireEvent("o", 1)));
  CHECK(core.store.pending() == 1);
  CHECK(core.metrics.coap.duplicates_pending.Get() == 1);
  core.store.CommitAll();
  CHECK(core.store.stored.size() == 1);
}

TEST_CASE("a retransmission of an answered request gets the same answer from memory") {
  CollectorCore core;
  const std::string request = WirePost(WireType::kCon, 7, "tok", WireEvent("o", 1));
  core.Receive(kPeer, request);
  core.store.CommitAll();
  const auto first = core.TakeSent();
  core.SetTimeMs(200'000);
  core.Receive(kPeer, request);
  const auto second = core.TakeSent();
  REQUIRE(first.size() == 1);
  REQUIRE(second.size() == 1);
  CHECK(first[0].bytes == second[0].bytes);
  CHECK(core.store.pending() == 0);
  CHECK(core.store.stored.size() == 1);
}

TEST_CASE("another request under a reused message id and token is processed") {
  CollectorCore core;
  core.Receive(kPeer, WirePost(WireType::kCon, 7, "tok", WireEvent("o", 1)));
  core.store.CommitAll();
  core.Receive(kPeer, WirePost(WireType::kCon, 7, "tok", WireEvent("o", 2)));
  core.store.CommitAll();
  CHECK(core.store.stored.size() == 2);
  CHECK(core.TakeSent().size() == 2);
}

TEST_CASE("peer, port, message id and token each make another exchange") {
  CollectorCore core;
  const std::string payload = WireEvent("o", 1);  // no timestamp: the exchange is its identity
  core.Receive(WirePeer(2, 40'000), WirePost(WireType::kCon, 7, "tok", payload));
  core.Receive(WirePeer(3, 40'000), WirePost(WireType::kCon, 7, "tok", payload));
  core.Receive(WirePeer(2, 40'001), WirePost(WireType::kCon, 7, "tok", payload));
  core.Receive(WirePeer(2, 40'000), WirePost(WireType::kCon, 8, "tok", payload));
  core.Receive(WirePeer(2, 40'000), WirePost(WireType::kCon, 7, "tik", payload));
  core.store.CommitAll();
  CHECK(core.store.stored.size() == 5);
}

TEST_CASE("an event without a time that is refused now keeps its id when it comes again") {
  CollectorCore core;
  const std::string request = WirePost(WireType::kCon, 7, "tok", WireEvent("o", 1));
  core.Receive(kPeer, request);
  core.store.StoreAndFail();  // stored, but told as not stored
  CHECK(OnlyAnswer(&core).code == 0xa3);
  core.SetTimeMs(5'500);
  core.Receive(kPeer, request);
  core.store.CommitAll();
  CHECK(OnlyAnswer(&core).code == 0x41);
  CHECK(core.store.stored.size() == 1);
}

TEST_CASE("a ping and what nobody asked for are reset, the rest is ignored") {
  CollectorCore core;
  core.Receive(kPeer, WireHeader(WireType::kCon, 0x00, 9, ""));  // ping
  CHECK(OnlyAnswer(&core).type == WireType::kRst);
  core.Receive(kPeer, WireHeader(WireType::kCon, 0x45, 10, "t"));  // a response
  const WireAnswer reset = OnlyAnswer(&core);
  CHECK(reset.type == WireType::kRst);
  CHECK(reset.code == 0);
  CHECK(reset.id == 10);
  CHECK(reset.token.empty());
  core.Receive(kPeer, WireHeader(WireType::kCon, 0x21, 11, "t"));  // a reserved class
  CHECK(OnlyAnswer(&core).type == WireType::kRst);
  for (const WireType type : {WireType::kNon, WireType::kAck, WireType::kRst}) {
    core.Receive(kPeer, WireHeader(type, 0x00, 12, ""));
    core.Receive(kPeer, WireHeader(type, 0x45, 13, "t"));
  }
  core.Receive(kPeer, WirePost(WireType::kAck, 14, "t", kEvent));
  core.Receive(kPeer, std::string(1, '\x40'));
  CHECK(core.TakeSent().empty());
  CHECK(core.store.pending() == 0);
  CHECK(core.metrics.coap.datagrams_malformed.Get() == 1);
}

TEST_CASE("an unknown critical option is refused, silently if nobody waits for an answer") {
  CollectorCore core;
  const std::string options =
      "\xb6"
      "events"
      "\xe2\xfc\xdd"
      "ab";
  core.Receive(kPeer, WireHeader(WireType::kCon, 0x02, 1, "t") + options);
  CHECK(OnlyAnswer(&core).code == 0x82);
  core.Receive(kPeer, WireHeader(WireType::kNon, 0x02, 2, "t") + options);
  CHECK(core.TakeSent().empty());
}

TEST_CASE("what comes by multicast is not answered") {
  CollectorCore core;
  AddressPair group = kPeer;
  sockaddr_in local{};
  local.sin_family = AF_INET;
  local.sin_addr.s_addr = htonl(0xe00001bb);  // 224.0.1.187, All CoAP Nodes
  group.local = SocketAddress(local);
  core.Receive(group, WirePost(WireType::kNon, 7, "tok", "bad"));
  CHECK(core.TakeSent().empty());
}

TEST_CASE("beyond the pending limit a request is answered 5.03 and costs no memory") {
  CollectorCore core({.exchanges_pending_max = 3});
  for (std::uint16_t id = 0; id < 3; ++id) {
    core.Receive(kPeer, WirePost(WireType::kCon, id, "t", WireEvent("o", id)));
  }
  CHECK(core.TakeSent().empty());
  core.Receive(kPeer, WirePost(WireType::kCon, 3, "t", WireEvent("o", 3)));
  CHECK(OnlyAnswer(&core).code == 0xa3);
  core.store.CommitAll();
  CHECK(core.TakeSent().size() == 3);
  core.Receive(kPeer, WirePost(WireType::kCon, 3, "t", WireEvent("o", 3)));
  core.store.CommitAll();
  CHECK(OnlyAnswer(&core).code == 0x41);
}

}  // namespace collector
