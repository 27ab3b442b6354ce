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

TEST_CASE("an answer that nobody wants is an empty acknowledgement, or nothing") {
  constexpr unsigned kNoResponse = 258;
  struct Row {
    const char* unwanted;
    bool good_answered;
    bool bad_answered;
  };
  const Row row = GENERATE(Row{"", true, true}, Row{"\x02", false, true}, Row{"\x08", true, false},
                           Row{"\x1a", false, false}, Row{"\x10", true, true});
  const WireType type = GENERATE(WireType::kCon, WireType::kNon);
  const bool good = GENERATE(true, false);
  const bool answered = good ? row.good_answered : row.bad_answered;
  CollectorCore core;
  const std::string request = WireRequest{.type = type,
                                          .code = 0x02,
                                          .id = 7,
                                          .options = {{kNoResponse, row.unwanted}},
                                          .payload = good ? kEvent : "bad"}
                                  .Bytes();
  for (int transmission = 0; transmission < 2; ++transmission) {
    core.Receive(kPeer, request);
    core.store.CommitAll();
    const auto sent = core.TakeSent();
    if (type == WireType::kNon && !answered) {
      CHECK(sent.empty());
      continue;
    }
    REQUIRE(sent.size() == 1);
    const WireAnswer answer = ReadWire(sent[0].bytes);
    CHECK(answer.type == (type == WireType::kCon ? WireType::kAck : WireType::kNon));
    CHECK(answer.code == (!answered ? 0x00u : good ? 0x41u : 0x80u));
    if (!answered) {
      CHECK(answer.id == 7);
      CHECK(answer.token.empty());
    }
  }
  CHECK(core.store.stored.size() == (good ? 1 : 0));
}

TEST_CASE("an answer that nobody wants is not sent separately either") {
  CollectorCore core;
  core.Receive(kPeer,
               WireRequest{.code = 0x02, .options = {{258, "\x02"}}, .payload = kEvent}.Bytes());
  core.TurnMs(core.now_ms + 1'000);
  CHECK(OnlyAnswer(&core).code == 0);
  core.store.CommitAll();
  CHECK(core.TakeSent().empty());
  CHECK(core.layer.separate_waiting() == 0);
}

TEST_CASE("options that are understood, ignored, refused") {
  struct Row {
    unsigned number;
    std::string value;
    unsigned code;
  };
  const Row row = GENERATE(Row{3, "host", 0x41}, Row{7, "\x16\x33", 0x41}, Row{15, "a=b", 0x41},
                           Row{6, "", 0x41},            // Observe
                           Row{4, "tag", 0x41},         // ETag
                           Row{16, "\x05", 0x41},       // Hop-Limit
                           Row{252, "echo", 0x41},      // Echo
                           Row{292, "tag", 0x41},       // Request-Tag
                           Row{65000, "x", 0x41},       // unknown, elective
                           Row{1, "tag", 0x8c},         // If-Match
                           Row{5, "", 0x8c},            // If-None-Match
                           Row{9, "x", 0x82},           // OSCORE
                           Row{19, "", 0x82},           // Q-Block1
                           Row{31, "", 0x82},           // Q-Block2
                           Row{65001, "x", 0x82},       // unknown, critical
                           Row{35, "coap://x", 0xa5});  // Proxy-Uri
  CAPTURE(row.number);
  CollectorCore core;
  core.Receive(
      kPeer,
      WireRequest{.code = 0x02, .options = {{row.number, row.value}}, .payload = kEvent}.Bytes());
  core.store.CommitAll();
  CHECK(OnlyAnswer(&core).code == row.code);
}

TEST_CASE("a critical option that is there once too often is refused") {
  const unsigned number = GENERATE(3u, 7u, 17u, 23u, 27u);
  CAPTURE(number);
  CollectorCore core;
  core.Receive(
      kPeer,
      WireRequest{.code = 0x02, .options = {{number, "\x01"}, {number, "\x01"}}, .payload = kEvent}
          .Bytes());
  CHECK(OnlyAnswer(&core).code == 0x82);
}

}  // namespace collector
