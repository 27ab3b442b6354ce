#include "collector/coap/echo.h"

#include "collector/base/clock.h"
#include "tests/fakes/collector_core.h"
#include "tests/fakes/wire.h"
#include "tests/unit/catch.h"

namespace collector {
namespace {

constexpr std::int64_t kMinuteNs = 60 * kNsPerSecond;
std::string WithEcho(std::uint16_t id, std::string_view echo, std::string_view payload) {
  return WireRequest{
      .code = 2, .id = id, .options = {{252, std::string(echo)}}, .payload = std::string(payload)}
      .Bytes();
}

}  // namespace

TEST_CASE("a challenge holds for its peer, for two minutes and not for five") {
  const EchoChallenge challenge;
  for (std::int64_t start_ns = kMinuteNs * 10; start_ns < kMinuteNs * 13; start_ns += kMinuteNs) {
    const auto value = challenge.For(1, start_ns);
    CHECK(challenge.Holds(1, value, start_ns));
    CHECK(challenge.Holds(1, value, start_ns + 2 * kMinuteNs));
    CHECK_FALSE(challenge.Holds(1, value, start_ns + 5 * kMinuteNs));
    CHECK_FALSE(challenge.Holds(3, value, start_ns));
    CHECK_FALSE(EchoChallenge().Holds(1, value, start_ns));
    CHECK_FALSE(challenge.Holds(1, Bytes(value).first(5), start_ns));
    CHECK_FALSE(challenge.Holds(1, {}, start_ns));
  }
}

TEST_CASE("who proved its address need not for an hour") {
  ProvenPeers peers;
  const std::int64_t now_ns = kMinuteNs;
  peers.Add(7 | std::uint64_t{9} << 32, now_ns);
  CHECK(peers.Has(7 | std::uint64_t{9} << 32, now_ns + 59 * kMinuteNs));
  CHECK_FALSE(peers.Has(7 | std::uint64_t{9} << 32, now_ns + 61 * kMinuteNs));
  CHECK_FALSE(peers.Has(7 | std::uint64_t{8} << 32, now_ns));
  CHECK_FALSE(peers.Has(0, now_ns));
}

TEST_CASE("half a million peers are remembered, and more make it forget the oldest") {
  ProvenPeers peers;
  const auto key = [](std::uint32_t n) { return PeerKeyOf(WirePeer(n, 1), 5); };
  const auto known = [&](std::uint32_t from, std::uint32_t to) {
    std::uint32_t count = 0;
    for (std::uint32_t n = from; n < to; ++n) count += peers.Has(key(n), kMinuteNs * 2) ? 1U : 0U;
    return count;
  };
  for (std::uint32_t n = 0; n < 500'000; ++n) peers.Add(key(n), kMinuteNs);
  CHECK(known(0, 500'000) > 490'000);
  for (std::uint32_t n = 500'000; n < 1'500'000; ++n) peers.Add(key(n), kMinuteNs * 2);
  CHECK(known(1'400'000, 1'500'000) > 80'000);
}

TEST_CASE("a request without its Echo is not processed; with it the peer is known") {
  CollectorCore core({.require_echo = true});
  const AddressPair peer = WirePeer(2, 40'000);
  const auto ask = [&](const AddressPair& from, const std::string& request) {
    core.Receive(from, request);
    core.store.CommitAll();
    const auto sent = core.TakeSent();
    REQUIRE(sent.size() == 1);
    return sent[0].bytes;
  };
  const std::string asked = ask(peer, WirePost(WireType::kCon, 1, "t", WireEvent("o", 1)));
  REQUIRE(asked.size() == 4 + 1 + 2 + 6);  // header, token, option
  CHECK(ReadWire(asked).code == 0x81);
  CHECK(core.store.stored.empty());
  const std::string echo = asked.substr(asked.size() - 6);

  CHECK(ReadWire(ask(WirePeer(3, 40'000), WithEcho(2, echo, WireEvent("o", 1)))).code == 0x81);
  CHECK(ReadWire(ask(peer, WithEcho(2, "wrong!", WireEvent("o", 1)))).code == 0x81);
  CHECK(core.store.stored.empty());
  CHECK(ReadWire(ask(peer, WithEcho(3, echo, WireEvent("o", 1)))).code == 0x41);
  CHECK(ReadWire(ask(peer, WirePost(WireType::kCon, 4, "t", WireEvent("o", 2)))).code == 0x41);
  CHECK(core.store.stored.size() == 2);
  CHECK(core.metrics.coap.echo_asked.Get() == 3);
  CHECK(core.metrics.coap.echo_proven.Get() == 1);
}

}  // namespace collector
