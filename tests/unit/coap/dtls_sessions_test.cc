#include "collector/coap/dtls_sessions.h"

#include <set>

#include "tests/fakes/dtls_peer.h"
#include "tests/unit/catch.h"

namespace collector {
namespace {

AddressPair From(std::uint16_t port) { return WirePeer(1, port); }

void Answer(DtlsCore* core, const AddressPair& to, const std::string& message) {
  core->sessions->Send(to, {reinterpret_cast<const std::uint8_t*>(message.data()), message.size()});
}

std::unique_ptr<DtlsPeer> PeerWith(DtlsCore* core, const std::string& cipher) {
  auto peer = std::make_unique<DtlsPeer>(core, From(1'000));
  CHECK(SSL_set_cipher_list(peer->tls(), (cipher + ":@SECLEVEL=0").c_str()) == 1);
  return peer;
}

// Adds what the encrypted records of these datagrams carry of their nonces.
std::size_t AddNonces(const std::vector<DtlsCore::Datagram>& datagrams,
                      std::set<std::string>* nonces) {
  std::size_t records = 0;
  for (const DtlsCore::Datagram& datagram : datagrams) {
    Bytes rest(reinterpret_cast<const std::uint8_t*>(datagram.bytes.data()), datagram.bytes.size());
    while (const auto record = TakeRecord(&rest)) {
      if (record->epoch() == 0) continue;
      ++records;
      nonces->emplace(record->fragment.begin(), record->fragment.begin() + 8);
    }
  }
  return records;
}

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
  Answer(&core, core.received[0].addresses, answer);
  REQUIRE(core.sent.size() == 1);
  CHECK(core.sent[0].bytes.size() <= 1'232);
  CHECK(core.sent[0].addresses.remote.ToString() == peer.addresses().remote.ToString());
  CHECK(peer.Take() == answer);
}

TEST_CASE("Each cipher carries messages of any length, under numbers that never come twice") {
  const std::string cipher =
      GENERATE("PSK-AES128-GCM-SHA256", "PSK-AES256-GCM-SHA384", "PSK-AES128-CCM",
               "PSK-AES128-CCM8", "PSK-CHACHA20-POLY1305", "ECDHE-PSK-CHACHA20-POLY1305");
  CAPTURE(cipher);
  DtlsCore core;
  const auto peer = PeerWith(&core, cipher);
  std::set<std::string> nonces;
  std::size_t records = 0;
  for (int i = 0; i < 3; ++i) {
    core.Receive(peer->addresses(), peer->NextFlight());
    records += AddNonces(core.sent, &nonces);
    peer->Take();
  }
  REQUIRE(peer->connected());
  REQUIRE(records == 1);  // Finished, which is OpenSSL's
  for (const std::size_t bytes : {1u, 16u, 100u, 1'152u}) {
    const std::string message(bytes, 'm');
    core.Receive(peer->addresses(), peer->Encrypted(message));
    REQUIRE(core.received.size() == 1);
    CHECK(core.received[0].bytes == message);
    Answer(&core, core.received[0].addresses, message);
    core.received.clear();
    records += AddNonces(core.sent, &nonces);
    CHECK(peer->Take() == message);
  }
  CHECK(records == 5);
  CHECK(nonces.size() == 5);
}

TEST_CASE("What came before or was changed on the way is dropped, and the session goes on") {
  const std::string cipher =
      GENERATE("PSK-AES128-GCM-SHA256", "PSK-AES128-CCM8", "PSK-CHACHA20-POLY1305");
  CAPTURE(cipher);
  DtlsCore core;
  const auto with = PeerWith(&core, cipher);
  DtlsPeer& peer = *with;
  REQUIRE(peer.Connect());
  const std::string request = peer.Encrypted("request");
  for (std::size_t at = 0; at < request.size(); ++at) {
    std::string changed = request;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    core.Receive(peer.addresses(), changed);
    core.Receive(peer.addresses(), request.substr(0, at));
  }
  CHECK(core.received.empty());
  core.Receive(peer.addresses(), request);
  CHECK(core.received.size() == 1);
  const std::uint64_t before = core.metrics.coaps.records_discarded.Get();
  core.Receive(peer.addresses(), request);
  CHECK(core.received.size() == 1);
  CHECK(core.metrics.coaps.records_discarded.Get() == before + 1);
  core.Receive(From(1'001), peer.Encrypted("elsewhere"));
  CHECK(core.received.size() == 1);
  CHECK(core.metrics.coaps.datagrams_without_session.Get() == 1);
}

TEST_CASE("Records may come out of order, and together; those that are too old are dropped") {
  DtlsCore core;
  DtlsPeer peer(&core, From(1'000));
  REQUIRE(peer.Connect());
  std::vector<std::string> requests;
  for (int i = 0; i < 100; ++i) requests.push_back(peer.Encrypted(std::to_string(i)));
  const auto receive = [&](const std::string& datagram) {
    core.Receive(peer.addresses(), datagram);
    std::string all;
    for (const auto& message : std::exchange(core.received, {})) all += message.bytes + " ";
    return all;
  };
  CHECK(receive(requests[90]) == "90 ");
  CHECK(receive(requests[27]) == "27 ");  // 63 before
  CHECK(receive(requests[26]).empty());
  CHECK(receive(requests[90]).empty());
  CHECK(receive(requests[27] + requests[28] + requests[99] + requests[28]) == "28 99 ");
  CHECK(receive(requests[90]).empty());
  CHECK(receive(requests[27]).empty());
  CHECK(receive(requests[91] + "no record") == "91 ");
}

TEST_CASE("Who did not get the end of the handshake gets it again until he has spoken") {
  DtlsCore core;
  DtlsPeer peer(&core, From(1'000));
  for (int i = 0; i < 2; ++i) {
    core.Receive(peer.addresses(), peer.NextFlight());
    peer.Take();
  }
  const std::string last = peer.NextFlight();
  core.Receive(peer.addresses(), last);
  CHECK(core.sessions->established() == 1);
  core.sent.clear();  // lost
  core.Receive(peer.addresses(), last);
  peer.Take();
  REQUIRE(peer.connected());
  core.Receive(peer.addresses(), last);
  CHECK(core.sent.empty());  // a copy of what was answered

  DtlsPeer other(&core, From(1'001));
  std::string finished;
  for (int i = 0; i < 3; ++i) {
    finished = other.NextFlight();
    core.Receive(other.addresses(), finished);
    other.Take();
  }
  REQUIRE(other.connected());
  core.Receive(other.addresses(), other.Encrypted("here"));
  core.Receive(other.addresses(), finished);
  CHECK(core.sent.empty());
}

TEST_CASE("A peer that takes short records only gets no longer ones") {
  DtlsCore core;
  DtlsPeer peer(&core, From(1'000));
  REQUIRE(SSL_set_tlsext_max_fragment_length(peer.tls(), TLSEXT_max_fragment_length_512) == 1);
  REQUIRE(peer.Connect());
  core.Receive(peer.addresses(), peer.Encrypted("request"));
  REQUIRE(core.received.size() == 1);
  Answer(&core, core.received[0].addresses, std::string(513, 'a'));
  CHECK(core.sent.empty());
  CHECK(core.metrics.coap.datagrams_send_failed.Get() == 1);
  Answer(&core, core.received[0].addresses, std::string(512, 'a'));
  CHECK(peer.Take() == std::string(512, 'a'));
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
  core.Pass(1);
  half(1'003);
  CHECK(core.metrics.coaps.handshakes_refused.Get() == 2);
  core.Pass(1);
  half(1'004);
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
  DtlsPeer leaving(&core, From(1'001));
  REQUIRE(leaving.Connect());
  core.Receive(leaving.addresses(), leaving.Goodbye());
  CHECK(core.sessions->established() == 0);
  leaving.Take();
  CHECK(leaving.told_goodbye());
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
