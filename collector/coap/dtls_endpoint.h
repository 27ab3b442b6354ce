// CoAP over DTLS (RFC 7252 section 9): libcoap's endpoint and sessions, which encrypt and count
// handshakes, before our own message layer, which does everything else.
#pragma once

#include <spdlog/logger.h>

#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "collector/base/poller.h"
#include "collector/base/watched_file.h"
#include "collector/coap/certificates.h"
#include "collector/coap/message_layer.h"
#include "collector/coap/psk_file.h"

struct coap_context_t;
struct coap_session_t;

namespace collector {

struct DtlsOptions {
  std::vector<SocketAddress> listen;
  std::string psk_file;  // empty: no pre-shared keys
  CertificateFiles certificates;
  std::size_t sessions_max = 4'096;  // beyond it the one that was silent longest ends
  unsigned handshakes_max = 100;     // under way; beyond it they are not answered
  unsigned idle_seconds_max = 600;   // of a session
  MessageLayerOptions message_layer;
};

// Lives on the loop thread. Poller, handler's state and metrics outlive it. The files are looked at
// once a second; where a changed one cannot be used the last good one holds. Sessions that are
// there go on: keys and certificates count when they begin.
class DtlsEndpoint : public DatagramSink {
 public:
  static Result<std::unique_ptr<DtlsEndpoint>> Create(const DtlsOptions& options, Handler handler,
                                                      Poller* poller, Metrics* metrics,
                                                      std::shared_ptr<spdlog::logger> log);
  ~DtlsEndpoint() override;
  DtlsEndpoint(const DtlsEndpoint&) = delete;
  DtlsEndpoint& operator=(const DtlsEndpoint&) = delete;

  [[nodiscard]] std::string Addresses() const;  // "127.0.0.1:5684", with the ports that were bound

  // As of CoapEndpoint.
  void SetTime(Instant now);
  [[nodiscard]] std::int64_t due_ns() const { return layer_.due_ns(); }
  void Flush();
  [[nodiscard]] std::size_t pending() const { return layer_.pending(); }

  void Send(const AddressPair& addresses, Bytes bytes) override;

 private:
  struct Session {
    std::uint32_t number = 0;
    coap_session_t* session = nullptr;
    AddressPair addresses;
    std::vector<std::string> names;  // who it is
  };
  using Sessions = std::list<Session>;
  struct Callbacks;  // what libcoap calls
  struct Free {
    void operator()(coap_context_t* context) const;
  };

  DtlsEndpoint(DtlsOptions options, Handler handler, Poller* poller, Metrics* metrics,
               std::shared_ptr<spdlog::logger> log);
  Status Open();
  Status OpenKeys();
  Status Listen(const SocketAddress& address);
  Status LoadKeys();
  Status LoadCertificates();
  void ReloadChanged();
  void OnReadable();
  Session* PeerOf(const coap_session_t* session);
  void OnConnected(coap_session_t* session);
  void OnGone(coap_session_t* session, const std::string& why);
  void Refused(coap_session_t* session, const std::string& why);

  const DtlsOptions options_;
  Poller* poller_;
  Metrics* metrics_;
  std::shared_ptr<spdlog::logger> log_;
  WatchedFile psk_file_;
  std::vector<WatchedFile> certificate_files_;
  PskTable keys_;
  std::unique_ptr<Certificates> certificates_;
  MessageLayer layer_;
  std::vector<SocketAddress> addresses_;
  std::unique_ptr<coap_context_t, Free> context_;
  Sessions sessions_;  // the one heard last in front
  Session ended_;      // stands for each of libcoap's that ended, or never became one
  std::unordered_map<std::uint32_t, Sessions::iterator> by_number_;
  std::uint32_t next_number_ = 1;
  std::vector<std::uint8_t> datagram_;  // the request at hand
  std::int64_t second_ns_ = 0;          // when the last whole second's work was done
  int refusals_logged_ = 0;             // in this second
  std::uint64_t refusals_unlogged_ = 0;
};

}  // namespace collector
