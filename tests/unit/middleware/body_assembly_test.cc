#include "collector/middleware/body_assembly.h"

#include "tests/fakes/collector_core.h"
#include "tests/unit/catch.h"

namespace collector {
namespace {

constexpr unsigned kContentFormat = 12, kSize1 = 60, kRequestTag = 292;
const AddressPair kPeer = WirePeer(0x000002, 40'000);

// An event whose text makes it `bytes` long.
std::string LargeEvent(std::size_t bytes) {
  std::string text =
      R"({"namespace":"n","sender":"s","origin":"o","timestamp":"2026-11-21T05:00:00Z",)"
      R"("payload":{"type":"t","value":")";
  REQUIRE(bytes > text.size() + 3);
  text.append(bytes - text.size() - 3, 'x');
  return text + "\"}}";
}

WireAnswer Ask(CollectorCore* core, const WireRequest& request, const AddressPair& peer = kPeer) {
  core->Receive(peer, request.Bytes());
  core->store.CommitAll();
  const auto sent = core->TakeSent();
  REQUIRE(sent.size() == 1);
  return ReadWire(sent[0].bytes);
}

std::size_t Assembling(CollectorCore* core) {
  return core->bodies.assembling(core->now_ms * kNsPerMs);
}

}  // namespace

TEST_CASE("a body in blocks is one event, answered when its last block is stored") {
  CollectorCore core;
  const auto exponent = static_cast<unsigned>(GENERATE(0, 3, 6));
  const std::size_t bytes = GENERATE(1'024u, 1'025u, 5'000u);
  const std::string body = LargeEvent(bytes);
  const std::size_t blocks = (body.size() + (16u << exponent) - 1) / (16u << exponent);
  for (std::uint16_t n = 0; n < blocks; ++n) {
    const WireAnswer answer = Ask(&core, WirePostBlock(n, body, n, exponent));
    const bool last = n + 1u == blocks;
    CHECK(answer.type == WireType::kAck);
    CHECK(answer.code == (last ? 0x41 : 0x5f));
    CHECK(answer.Uint(kWireBlock1) == WireBlock(n, !last, exponent));
    CHECK(core.store.stored.size() == (last ? 1 : 0));
  }
  REQUIRE(core.store.stored.size() == 1);
  CHECK(core.store.stored.begin()->second.find(std::string(100, 'x')) != std::string::npos);
  CHECK(Assembling(&core) == 0);
}

TEST_CASE("a block that comes again is answered again and not put in twice") {
  CollectorCore core;
  const std::string body = LargeEvent(3'000);
  for (std::uint16_t n = 0; n < 3; ++n) {
    const WireAnswer first = Ask(&core, WirePostBlock(n, body, n, 6));
    for (std::uint16_t old = 0; old <= n; ++old) {
      const WireAnswer again = Ask(&core, WirePostBlock(old, body, old, 6));
      CHECK(again.code == (old == 2 ? 0x41 : 0x5f));
      CHECK(again.Uint(kWireBlock1) == WireBlock(old, old != 2, 6));
    }
    CHECK(first.code == (n == 2 ? 0x41 : 0x5f));
  }
  CHECK(core.store.stored.size() == 1);
  CHECK(Assembling(&core) == 0);
}

TEST_CASE("a missing block, or one of another format, is 4.08 and stores nothing") {
  CollectorCore core;
  const std::string body = LargeEvent(3'000);
  CHECK(Ask(&core, WirePostBlock(1, body, 1, 6)).code == 0x88);
  CHECK(Ask(&core, WirePostBlock(2, body, 0, 6)).code == 0x5f);
  CHECK(Ask(&core, WirePostBlock(3, body, 2, 6)).code == 0x88);
  WireRequest formatless = WirePostBlock(4, body, 1, 6);
  formatless.options.erase(kContentFormat);
  CHECK(Ask(&core, formatless).code == 0x88);
  // What was right before is still there.
  CHECK(Ask(&core, WirePostBlock(5, body, 1, 6)).code == 0x5f);
  CHECK(Ask(&core, WirePostBlock(6, body, 2, 6)).code == 0x41);
  CHECK(core.store.stored.size() == 1);
}

TEST_CASE("a block that came too early is taken when it comes again in its place") {
  CollectorCore core;
  const std::string body = LargeEvent(1'500);
  CHECK(Ask(&core, WirePostBlock(2, body, 1, 6)).code == 0x88);
  CHECK(Ask(&core, WirePostBlock(1, body, 0, 6)).code == 0x5f);
  CHECK(Ask(&core, WirePostBlock(2, body, 1, 6)).code == 0x41);
}

TEST_CASE("a last block whose event is refused is refused again, not called too early") {
  CollectorCore core;
  const std::string body(1'500, 'x');
  CHECK(Ask(&core, WirePostBlock(1, body, 0, 6)).code == 0x5f);
  for (int i = 0; i < 2; ++i) CHECK(Ask(&core, WirePostBlock(2, body, 1, 6)).code == 0x80);
}

TEST_CASE("another body must wait while blocks of the first may still come") {
  CollectorCore core;
  const std::string first = LargeEvent(3'000);
  const std::string other = "[" + LargeEvent(2'998) + "]";
  Ask(&core, WirePostBlock(1, first, 0, 6));
  const WireAnswer refused = Ask(&core, WirePostBlock(2, other, 0, 6));
  CHECK(refused.code == 0xa3);
  CHECK(refused.Uint(14) >= 5);  // Max-Age
  Ask(&core, WirePostBlock(3, first, 1, 6));
  CHECK(Ask(&core, WirePostBlock(4, other, 1, 6)).code == 0x88);
  core.SetTimeMs(core.now_ms + 44'000);
  CHECK(Ask(&core, WirePostBlock(5, other, 0, 6)).code == 0xa3);
  core.SetTimeMs(core.now_ms + 2'000);
  for (std::uint16_t n = 0; n < 3; ++n) Ask(&core, WirePostBlock(10 + n, other, n, 6));
  CHECK(core.store.stored.size() == 1);
  CHECK(core.metrics.bodies.refused.Get() == 2);
}

TEST_CASE("a first block begins its body anew") {
  CollectorCore core;
  const std::string abandoned = LargeEvent(3'000);
  const std::string body = LargeEvent(2'500);
  Ask(&core, WirePostBlock(1, abandoned, 0, 6));
  Ask(&core, WirePostBlock(2, abandoned, 1, 6));
  for (std::uint16_t n = 0; n < 3; ++n) Ask(&core, WirePostBlock(10 + n, body, n, 6));
  REQUIRE(core.store.stored.size() == 1);
  CHECK(core.metrics.bodies.abandoned.Get() == 1);
  CHECK(core.metrics.bodies.completed.Get() == 1);
}

TEST_CASE("bodies of peers, and of one peer's Request-Tags, are kept apart") {
  CollectorCore core;
  const std::string body = LargeEvent(1'500);
  const AddressPair other = WirePeer(2, 40'001);
  WireRequest tagged = WirePostBlock(3, body, 0, 6);
  tagged.options.emplace(kRequestTag, "a");
  CHECK(Ask(&core, WirePostBlock(1, body, 0, 6)).code == 0x5f);
  CHECK(Ask(&core, WirePostBlock(1, body, 0, 6), other).code == 0x5f);
  CHECK(Ask(&core, tagged).code == 0x5f);
  CHECK(Assembling(&core) == 3);
  CHECK(Ask(&core, WirePostBlock(2, body, 1, 6), other).code == 0x41);
  CHECK(Ask(&core, WirePostBlock(2, body, 1, 6)).code == 0x41);
  CHECK(Ask(&core, WirePostBlock(4, body, 1, 6)).code == 0x88);
  WireRequest second = WirePostBlock(5, body, 1, 6);
  second.options.emplace(kRequestTag, "a");
  CHECK(Ask(&core, second).code == 0x41);
  CHECK(Assembling(&core) == 0);
}

TEST_CASE("a body over the limit is 4.13 with Size1, as soon as that is known") {
  CollectorCore core({}, {.payload_bytes_max = 4'096}, {.body_bytes_max = 4'096});
  const std::string body = LargeEvent(5'000);
  WireRequest announced = WirePostBlock(1, body, 0, 6);
  announced.options.emplace(kSize1, WireUint(5'000));
  const WireAnswer refused = Ask(&core, announced);
  CHECK(refused.code == 0x8d);
  CHECK(refused.Uint(kSize1) == 4'096u);
  for (std::uint16_t n = 0; n < 3; ++n) {
    CHECK(Ask(&core, WirePostBlock(10 + n, body, n, 6)).code == 0x5f);
  }
  CHECK(Ask(&core, WirePostBlock(13, body, 3, 6)).code == 0x8d);  // full, and more to come
  CHECK(Assembling(&core) == 0);

  const std::string fits = LargeEvent(4'096);
  for (std::uint16_t n = 0; n < 4; ++n) Ask(&core, WirePostBlock(20 + n, fits, n, 6));
  CHECK(core.store.stored.size() == 1);
}

TEST_CASE("one message's payload has a limit of its own, and larger ones are asked for in blocks") {
  CollectorCore core({.payload_bytes_max = 1'000}, {.payload_bytes_max = 4'096},
                     {.body_bytes_max = 4'096});
  const WireAnswer refused = Ask(&core, {.code = 0x02, .id = 1, .payload = LargeEvent(1'001)});
  CHECK(refused.code == 0x8d);
  CHECK(refused.Uint(kSize1) == 4'096u);
  CHECK(Ask(&core, {.code = 0x02, .id = 2, .payload = LargeEvent(1'000)}).code == 0x41);
  const std::string body = LargeEvent(1'500);
  CHECK(Ask(&core, WirePostBlock(3, body, 0, 6)).code == 0x5f);
  CHECK(Ask(&core, WirePostBlock(4, body, 1, 6)).code == 0x41);
}

TEST_CASE("a payload that does not fill its block, or overfills it, is 4.00") {
  CollectorCore core;
  WireRequest request{.code = 0x02, .id = 1, .payload = std::string(31, 'x')};
  request.options.emplace(kWireBlock1, WireUint(WireBlock(0, true, 1)));
  CHECK(Ask(&core, request).code == 0x80);
  request.id = 2;
  request.payload = std::string(33, 'x');
  request.options = {{kWireBlock1, WireUint(WireBlock(0, false, 1))}};
  CHECK(Ask(&core, request).code == 0x80);
  CHECK(Assembling(&core) == 0);
}

TEST_CASE("bodies are bounded in number and time") {
  CollectorCore core({}, {.payload_bytes_max = 65'536}, {.bodies_max = 2});
  const std::string body = LargeEvent(1'500);
  for (std::uint32_t host = 2; host < 4; ++host) {
    CHECK(Ask(&core, WirePostBlock(1, body, 0, 6), WirePeer(host, 1)).code == 0x5f);
  }
  const WireAnswer refused = Ask(&core, WirePostBlock(1, body, 0, 6), WirePeer(4, 1));
  CHECK(refused.code == 0xa3);
  CHECK(refused.Uint(14).has_value());
  SECTION("one that has stalled gives way") {
    core.SetTimeMs(core.now_ms + 5'000);
    CHECK(Ask(&core, WirePostBlock(2, body, 1, 6), WirePeer(3, 1)).code == 0x41);
    CHECK(Ask(&core, WirePostBlock(2, body, 0, 6), WirePeer(4, 1)).code == 0x5f);
    CHECK(Ask(&core, WirePostBlock(2, body, 0, 6), WirePeer(5, 1)).code == 0x5f);
    CHECK(Ask(&core, WirePostBlock(2, body, 1, 6), WirePeer(2, 1)).code == 0x88);
  }
  SECTION("one that waits too long is forgotten") {
    core.SetTimeMs(core.now_ms + 60'001);
    CHECK(Ask(&core, WirePostBlock(2, body, 1, 6), WirePeer(2, 1)).code == 0x88);
    CHECK(Assembling(&core) == 0);
  }
}

TEST_CASE("a path or method that takes no body refuses it with its first block") {
  CollectorCore core;
  WireRequest request = WirePostBlock(1, LargeEvent(1'500), 0, 6);
  request.path = "nowhere";
  const WireAnswer answer = Ask(&core, request);
  CHECK(answer.code == 0x84);
  CHECK_FALSE(answer.Uint(kWireBlock1).has_value());
  CHECK(Assembling(&core) == 0);
}

}  // namespace collector
