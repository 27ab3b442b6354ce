#include "collector/coap/dtls_sessions.h"

#include "tests/fakes/dtls_peer.h"
#include "tests/unit/catch.h"

namespace collector {
namespace {

AddressPair From(std::uint16_t port) { return WirePeer(1, port); }

TEST_CASE("A hello is answered by a cookie, shorter than itself, and nothing is kept of it") {
  DtlsCore core;
  DtlsPeer peer(&core, From(1'000));
  const std::string hello = peer.NextFlight();
  core.Receive(peer.addresses(), hello);
  REQUIRE(core.sent.size() == 1);
  CHECK(core.sent[0].bytes.size() < hello.size());
  CHECK(core.sent[0].bytes[13] == 3);  // HelloVerifyRequest
  CHECK(core.sessions->handshakes() == 0);
  peer.Take();

  // From another address, or a minute later, its cookie is worth nothing.
  const std::string with_cookie = peer.NextFlight();
  core.Receive(From(1'001), with_cookie);
  CHECK(core.sessions->handshakes() == 0);
  core.Receive(peer.addresses(), with_cookie);
  CHECK(core.sessions->handshakes() == 1);
}

TEST_CASE("A cookie grows old") {
  DtlsCore core;
  DtlsPeer peer(&core, From(1'000));
  core.Receive(peer.addresses(), peer.NextFlight());
  peer.Take();
  const std::string with_cookie = peer.NextFlight();
  core.Pass(60);
  core.Pass(60);
  core.Receive(peer.addresses(), with_cookie);
  CHECK(core.sessions->handshakes() == 0);
}

TEST_CASE("A session carries messages both ways, and tells whose they are") {
  DtlsCore core;
  DtlsPeer peer(&core, From(1'000));
  REQUIRE(peer.Connect());
  CHECK(core.sessions->established() == 1);
  CHECK(core.metrics.coaps.handshakes_succeeded.Get() == 1);
  core.Receive(peer.addresses(), peer.Encrypted("request"));
  REQUIRE(core.received.size() == 1);
  CHECK(core.received[0].bytes == "request");
  CHECK(core.received[0].names == std::vector<std::string>{"psk:probe"});
  const std::string answer(1'152, 'a');
  core.sessions->Send(core.received[0].addresses,
                      {reinterpret_cast<const std::uint8_t*>(answer.data()), answer.size()});
  REQUIRE(core.sent.size() == 1);
  CHECK(core.sent[0].bytes.size() <= 1'232);
  CHECK(core.sent[0].addresses.remote.ToString() == peer.addresses().remote.ToString());
  CHECK(peer.Take() == answer);
}

TEST_CASE("What was recorded or changed on the way is dropped, and the session goes on") {
  DtlsCore core;
  DtlsPeer peer(&core, From(1'000));
  REQUIRE(peer.Connect());
  const std::string request = peer.Encrypted("request");
  std::string changed = request;
  changed.back() = static_cast<char>(changed.back() ^ 1);
  core.Receive(peer.addresses(), changed);
  CHECK(core.received.empty());
  core.Receive(peer.addresses(), request);
  core.Receive(peer.addresses(), request);
  CHECK(core.received.size() == 1);
  core.Receive(From(1'001), peer.Encrypted("elsewhere"));
  CHECK(core.received.size() == 1);
  CHECK(core.metrics.coaps.datagrams_without_session.Get() == 1);
}

TEST_CASE("Who has another key, or none of ours, is told so") {
  DtlsCore core;
  DtlsPeer other(&core, From(1'000), "probe", "0123456789abcdef");
  CHECK_FALSE(other.Connect());
  CHECK(other.refusal() == "its key for 'probe' is another one");
  DtlsPeer stranger(&core, From(1'001), "stranger");
  CHECK_FALSE(stranger.Connect());
  CHECK(stranger.refusal() == "it has no key for the identity 'stranger'");
  CHECK(core.metrics.coaps.handshakes_failed.Get() == 2);
  CHECK(core.sessions->handshakes() == 0);
  CHECK(core.sessions->established() == 0);
}

TEST_CASE("A device that restarts takes the place of its session") {
  DtlsCore core;
  DtlsPeer peer(&core, From(1'000));
  REQUIRE(peer.Connect());
  core.Receive(peer.addresses(), peer.Encrypted("before"));
  peer.Restart();
  const std::string hello = peer.NextFlight();
  core.Receive(peer.addresses(), hello);
  CHECK(core.sessions->established() == 1);  // a forged hello ends nothing
  peer.Take();
  REQUIRE(peer.Connect());
  CHECK(core.sessions->established() == 1);
  core.Receive(peer.addresses(), peer.Encrypted("after"));
  REQUIRE(core.received.size() == 2);
  CHECK(core.received[0].addresses.socket != core.received[1].addresses.socket);
}

TEST_CASE("A hello that comes again belongs to the handshake that it began") {
  DtlsCore core;
  DtlsPeer peer(&core, From(1'000));
  core.Receive(peer.addresses(), peer.NextFlight());
  peer.Take();
  const std::string hello = peer.NextFlight();
  core.Receive(peer.addresses(), hello);
  REQUIRE_FALSE(core.sent.empty());
  core.sent.clear();
  core.Receive(peer.addresses(), hello);  // as the device does when nothing comes
  CHECK(core.sessions->handshakes() == 1);
  CHECK(core.sessions->due_ns() != kNever);
}

TEST_CASE("Sessions are bounded: the one silent longest ends, and hears of it") {
  DtlsCore core({.sessions_max = 2});
  std::vector<std::unique_ptr<DtlsPeer>> peers;
  for (std::uint16_t port = 1'000; port < 1'002; ++port) {
    peers.push_back(std::make_unique<DtlsPeer>(&core, From(port)));
    REQUIRE(peers.back()->Connect());
  }
  core.Pass(1);
  core.Receive(peers[0]->addresses(), peers[0]->Encrypted("here"));
  DtlsPeer third(&core, From(1'002));
  core.Receive(third.addresses(), third.NextFlight());
  third.Take();
  core.Receive(third.addresses(), third.NextFlight());
  third.Take();
  core.Receive(third.addresses(), third.NextFlight());
  peers[1]->Take();
  CHECK(peers[1]->told_goodbye());
  CHECK_FALSE(peers[0]->told_goodbye());
  CHECK(core.sessions->established() == 2);
  CHECK(core.metrics.coaps.sessions_evicted.Get() == 1);
}

TEST_CASE("Handshakes are bounded: one that does not get on makes room") {
  DtlsCore core({.handshakes_max = 2});
  const auto half = [&core](std::uint16_t port) {
    DtlsPeer peer(&core, From(port));
    core.Receive(peer.addresses(), peer.NextFlight());
    peer.Take();
    core.Receive(peer.addresses(), peer.NextFlight());
    core.sent.clear();
  };
  half(1'000);
  half(1'001);
  half(1'002);
  CHECK(core.sessions->handshakes() == 2);
  CHECK(core.metrics.coaps.handshakes_refused.Get() == 1);
  core.Pass(10);
  half(1'003);
  CHECK(core.sessions->handshakes() == 2);
  CHECK(core.metrics.coaps.handshakes_failed.Get() == 1);
  core.Pass(30);
  CHECK(core.sessions->handshakes() == 0);
  CHECK(core.metrics.coaps.handshakes_failed.Get() == 3);
  CHECK(core.sessions->due_ns() == kNever);
}

TEST_CASE("A silent session ends") {
  DtlsCore core({.idle_seconds_max = 60});
  DtlsPeer peer(&core, From(1'000));
  REQUIRE(peer.Connect());
  core.Pass(59);
  core.Receive(peer.addresses(), peer.Encrypted("here"));
  core.Pass(59);
  CHECK(core.sessions->established() == 1);
  core.Pass(1);
  CHECK(core.sessions->established() == 0);
  peer.Take();
  CHECK(peer.told_goodbye());
}

TEST_CASE("A session of which its peer has taken leave is forgotten, and so are all at the end") {
  DtlsCore core;
  DtlsPeer peer(&core, From(1'000));
  REQUIRE(peer.Connect());
  core.sessions->EndAll();
  CHECK(core.sessions->established() == 0);
  peer.Take();
  CHECK(peer.told_goodbye());
  core.Receive(peer.addresses(), peer.Encrypted("late"));
  CHECK(core.received.empty());
}

}  // namespace
}  // namespace collector
