// CoAP over DTLS (RFC 7252 section 9) as a state machine without sockets, between a datagram sink
// and the message layer. What a handshake agreed on is all that is kept of a session.
#pragma once

#include <spdlog/logger.h>

#include <array>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "collector/base/clock.h"
#include "collector/base/flat_map.h"
#include "collector/base/metrics.h"
#include "collector/coap/datagram_sink.h"
#include "collector/coap/dtls_handshakes.h"
#include "collector/coap/dtls_records.h"
#include "collector/coap/peers.h"

namespace collector {

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
  DtlsSessions(const DtlsSessions&) = delete;
  DtlsSessions& operator=(const DtlsSessions&) = delete;

  // Before anything else: reads the keys. Errors are kConfig.
  Status Open() { return handshakes_.Open(); }

  void OnDatagram(const AddressPair& addresses, Bytes datagram);

  // Sends a message in the session that `addresses` names, if it is still there.
  void Send(const AddressPair& addresses, Bytes message) override;

  // The time, once a turn; then flights that were lost are sent again, what is overdue ends.
  void SetTime(Instant now);
  void OnTime();
  [[nodiscard]] std::int64_t due_ns() const { return handshakes_.due_ns(); }

  // Tells the peers that their sessions end.
  void EndAll();

  [[nodiscard]] std::size_t established() const { return all_.size(); }
  [[nodiscard]] std::size_t handshakes() const { return handshakes_.size(); }

 private:
  struct Session {
    Session(std::uint32_t its_number, const Handshaken& handshaken, std::int64_t now_ns);

    const std::uint32_t number;
    const PeerKey key;
    const std::uint64_t hello;  // hash of the one it began with
    const AddressPair addresses;
    DtlsRecords records;
    // Until it is known to have come (RFC 6347 section 4.2.4).
    std::vector<std::uint8_t> last_flight;
    const std::vector<std::string> names;
    std::int64_t heard_ns;
    std::int64_t listed_ns;  // when it was put in front
  };
  using Place = std::list<Session>::iterator;

  void Begin(const Handshaken& handshaken);
  void OnRecords(Place place, Bytes datagram);
  void OnMessage(Place place, Bytes message);
  void SendRecord(Place place, RecordType type, Bytes content);
  void End(Place place);
  void Forget(Place place);
  void EachSecond();
  void EndWhoseKeyChanged(const PskTable& before);

  const std::size_t sessions_max_;
  const std::int64_t idle_ns_max_;
  const OnDtlsMessage on_message_;
  DatagramSink* sink_;
  Metrics* metrics_;
  DtlsHandshakes handshakes_;
  std::list<Session> all_;  // the one heard last in front
  FlatMap<Place> by_key_;
  FlatMap<Place> by_number_;
  std::uint32_t next_number_ = 1;
  RecordCiphers ciphers_;
  std::array<std::uint8_t, kRecordContentBytesMax> message_{};  // the one at hand
  std::int64_t now_ns_ = 0;
  std::int64_t second_due_ns_ = 0;
};

}  // namespace collector
