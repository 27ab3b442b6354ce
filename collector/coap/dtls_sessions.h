// CoAP over DTLS (RFC 7252 section 9) as a state machine without sockets, between a datagram sink
// and the message layer: handshakes are OpenSSL's, and what they agreed on is all that is kept of a
// session. Until a sender has returned a cookie, and so shown that it gets what is sent to its
// address, nothing is kept of it.
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
#include "collector/coap/dtls_records.h"
#include "collector/coap/peers.h"

struct bio_method_st;
struct bio_st;

namespace collector {

struct DtlsOptions {
  DtlsKeyFiles files{};
  std::size_t sessions_max = 16'384;    // beyond it the one that was silent longest ends
  std::size_t handshakes_max = 1'000;   // under way; beyond it the oldest ends, or none begins
  std::int64_t idle_seconds_max = 600;  // of a session
  std::uint64_t seed = 0;               // of hashes; secret in production
  RefusalLog* refusals = nullptr;       // outlives the sessions; told of failed handshakes
};

// A message that a session carried; `addresses.socket` is the session's number, which no other one
// gets. `names`: who the peer has proved to be, as Request::names.
using OnDtlsMessage = std::function<void(const AddressPair& addresses, Bytes message,
                                         const std::vector<std::string>& names)>;

// Lives on the loop thread. Sink, metrics and what OnDtlsMessage uses outlive it. Sessions that are
// there go on when certificates change; those whose pre-shared key is gone or another one end.
class DtlsSessions : public DatagramSink {
 public:
  DtlsSessions(const DtlsOptions& options, OnDtlsMessage on_message, DatagramSink* sink,
               Metrics* metrics, std::shared_ptr<spdlog::logger> log);
  ~DtlsSessions() override;
  DtlsSessions(const DtlsSessions&) = delete;
  DtlsSessions& operator=(const DtlsSessions&) = delete;

  // Before anything else: reads the keys. Errors are kConfig.
  Status Open();

  void OnDatagram(const AddressPair& addresses, Bytes datagram);

  // Sends a message in the session that `addresses` names, if it is still there.
  void Send(const AddressPair& addresses, Bytes message) override;

  // The time, once a turn; then flights that were lost are sent again, what is overdue ends.
  void SetTime(Instant now) { now_ns_ = now.monotonic_ns; }
  void OnTime();
  [[nodiscard]] std::int64_t due_ns() const { return handshakes_.empty() ? kNever : timer_due_ns_; }

  // Tells the peers that their sessions end.
  void EndAll();

  [[nodiscard]] std::size_t established() const { return established_.size(); }
  [[nodiscard]] std::size_t handshakes() const { return handshakes_.size(); }

 private:
  struct Session {
    std::uint32_t number = 0;
    PeerKey key = 0;
    std::uint64_t hello = 0;  // hash of the hello it began with
    AddressPair addresses;
    Tls tls;                             // until it is established
    std::optional<DtlsRecords> records;  // from then on
    // What ended the handshake, until it is known to have come (RFC 6347 section 4.2.4).
    std::vector<std::uint8_t> last_flight;
    std::vector<std::string> names;
    std::int64_t heard_ns = 0;   // under way: when it began
    std::int64_t listed_ns = 0;  // when it was put in front
    int datagrams = 0;           // of its handshake
  };
  using Sessions = std::list<Session>;
  using Place = Sessions::iterator;
  struct Callbacks;  // what OpenSSL calls

  Tls NewTls();
  void UseContext();
  PeerKey KeyOf(const AddressPair& addresses) const;
  std::array<std::uint8_t, 16> CookieOf(std::size_t secret) const;
  void OnHello(const AddressPair& addresses, Bytes datagram, PeerKey key, std::uint64_t hello);
  bool MakeRoomForHandshake();
  void Turn(const AddressPair& addresses);
  void Drive(Place place, Bytes datagram);
  bool Handshake(Place place, Bytes datagram);
  void Established(Place place);
  void OnRecords(Place place, Bytes datagram);
  void OnMessage(Place place, Bytes message);
  void SendRecord(Place place, RecordType type, Bytes content);
  void Fail(Place place, const std::string& why);
  void End(Place place);
  void Forget(Place place);
  void RefuseKey(Place place);
  void EachSecond();
  void LogFailure(const AddressPair& addresses, const std::string& why);

  const DtlsOptions options_;
  const OnDtlsMessage on_message_;
  DatagramSink* sink_;
  Metrics* metrics_;
  DtlsKeys keys_;
  std::unique_ptr<bio_method_st, void (*)(bio_method_st*)> method_;
  Sessions handshakes_;   // the oldest in front
  Sessions established_;  // the one heard last in front
  std::unordered_map<PeerKey, Place> by_key_;
  std::unordered_map<std::uint32_t, Place> by_number_;
  std::uint32_t next_number_ = 1;
  Tls listener_;  // answers hellos until one brings its cookie; then it is that one's

  // The datagram that OpenSSL is at, whose it is, and what was sent because of it.
  Bytes incoming_;
  const AddressPair* current_ = nullptr;
  std::vector<std::uint8_t> flight_;
  std::string unknown_identity_;

  std::array<std::array<std::uint8_t, 32>, 2> cookie_secrets_{};  // of now, and of before
  RecordCiphers ciphers_;
  std::array<std::uint8_t, kRecordContentBytesMax> message_{};  // the one at hand
  std::int64_t now_ns_ = 0;
  std::int64_t timer_due_ns_ = 0;
  std::int64_t second_due_ns_ = 0;
  std::int64_t secret_due_ns_ = 0;
};

}  // namespace collector
