// DTLS handshakes (RFC 6347 section 4.2), which are OpenSSL's, without sockets. Until a sender has
// returned a cookie, and so shown that it gets what is sent to its address, nothing is kept of it.
#pragma once

#include <spdlog/logger.h>

#include <array>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "collector/base/clock.h"
#include "collector/base/metrics.h"
#include "collector/base/refusal_log.h"
#include "collector/coap/datagram_sink.h"
#include "collector/coap/dtls_keys.h"
#include "collector/coap/peers.h"

struct bio_method_st;
struct ssl_st;

namespace collector {

// Of handshakes, and of the sessions that they begin.
struct DtlsOptions {
  DtlsKeyFiles files{};
  std::size_t sessions_max = 16'384;    // beyond it the one that was silent longest ends
  std::size_t handshakes_max = 1'000;   // under way; beyond it the oldest ends, or none begins
  std::int64_t idle_seconds_max = 600;  // of a session
  std::uint64_t seed = 0;               // of hashes; secret in production
  RefusalLog* refusals = nullptr;       // outlives the sessions; told of failed handshakes
};

// A handshake that is complete, while OnHandshake looks at it.
struct Handshaken {
  PeerKey key;
  std::uint64_t hello;
  AddressPair addresses;
  ssl_st* tls;
  Bytes last_flight;  // what was sent at last
  Bytes rest;         // of the datagram that completed it
};
using OnHandshake = std::function<void(const Handshaken& handshaken)>;

// Lives on the loop thread. What it is given outlives it.
class DtlsHandshakes {
 public:
  DtlsHandshakes(const DtlsOptions& options, OnHandshake on_handshake, DatagramSink* sink,
                 Metrics* metrics, std::shared_ptr<spdlog::logger> log);
  ~DtlsHandshakes();
  DtlsHandshakes(const DtlsHandshakes&) = delete;
  DtlsHandshakes& operator=(const DtlsHandshakes&) = delete;

  // Before anything else: reads the keys. Errors are kConfig.
  Status Open();

  // Who sends, and to which of our addresses.
  [[nodiscard]] PeerKey KeyOf(const AddressPair& addresses) const;
  // Hash of the hello that a datagram is, if it is one.
  [[nodiscard]] std::optional<std::uint64_t> HelloIn(Bytes datagram) const;

  // A hello; true if it brought its cookie and begins a handshake.
  bool OnHello(const AddressPair& addresses, Bytes datagram, PeerKey key, std::uint64_t hello);
  // Whatever else may be of a handshake; false if none is under way with this peer.
  bool OnDatagram(PeerKey key, Bytes datagram);

  // The time, once a turn; then flights that were lost are sent again, what is overdue ends.
  void SetTime(std::int64_t now_ns) { now_ns_ = now_ns; }
  void OnTime();
  [[nodiscard]] std::int64_t due_ns() const { return all_.empty() ? kNever : timer_due_ns_; }
  // Reads files again that have changed; the pre-shared keys of before, if there are others now.
  std::optional<PskTable> ReloadKeys();

  [[nodiscard]] const PskTable& psks() const { return keys_.psks(); }
  [[nodiscard]] std::size_t size() const { return all_.size(); }

 private:
  struct Handshake {
    PeerKey key = 0;
    std::uint64_t hello = 0;
    AddressPair addresses;
    Tls tls;
    std::int64_t began_ns = 0;
    int datagrams = 0;
  };
  using Place = std::list<Handshake>::iterator;
  struct Callbacks;  // what OpenSSL calls

  Tls NewTls();
  void UseContext();
  std::array<std::uint8_t, 16> CookieOf(std::size_t secret) const;
  bool MakeRoom();
  void Turn(const AddressPair& addresses, Bytes datagram);
  void Drive(Place place, Bytes datagram);
  void RefuseKey(Place place);
  void Complete(Place place, Bytes datagram);
  void Fail(Place place, const std::string& why);
  void Forget(Place place);

  const DtlsOptions options_;
  const OnHandshake on_handshake_;
  DatagramSink* sink_;
  Metrics* metrics_;
  DtlsKeys keys_;
  std::unique_ptr<bio_method_st, void (*)(bio_method_st*)> method_;
  std::list<Handshake> all_;  // the oldest in front
  std::unordered_map<PeerKey, Place> by_key_;
  Tls listener_;  // answers hellos until one brings its cookie; then it is that one's

  // The datagram that OpenSSL is at, whose it is, and what was sent because of it.
  Bytes incoming_;
  const AddressPair* current_ = nullptr;
  std::vector<std::uint8_t> flight_;
  std::string unknown_identity_;

  std::array<std::array<std::uint8_t, 32>, 2> cookie_secrets_{};  // of now, and of before
  std::int64_t now_ns_ = 0;
  std::int64_t timer_due_ns_ = 0;
  std::int64_t secret_due_ns_ = 0;
};

}  // namespace collector
