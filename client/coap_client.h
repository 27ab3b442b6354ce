// CoAP requests to one collector, many in flight at once (RFC 7252). The only file with libcoap.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/tls.h"
#include "collector/base/result.h"

struct addrinfo;
struct coap_address_t;
struct coap_context_t;
struct coap_pdu_t;
struct coap_session_t;

namespace collector::client {

enum class Method { kGet, kPost };

struct Request {
  Method method = Method::kPost;
  std::string path;                   // one segment, without a slash
  std::string body;                   // empty: none
  std::uint16_t content_format = 50;  // of the body; JSON
  bool confirmable = true;            // otherwise sent once, never again
  std::uint64_t key = 0;              // the caller's own, handed back with the answer
};

// How a request ended.
struct Answer {
  enum class Kind {
    kResponse,     // an answer, piggybacked or separate
    kReset,        // RST: what listens there does not take requests
    kTimeout,      // none, after all retransmissions
    kRefused,      // the DTLS handshake did not succeed
    kUnreachable,  // nothing listens on any address of the host (ICMP)
  };
  Kind kind = Kind::kTimeout;
  std::string refusal{};  // with kRefused: why
  int code_class = 0;     // 2 and 1 of 2.01; of a kResponse only
  int code_detail = 0;
  std::optional<unsigned> max_age_s{};  // where the answer says it
  std::string payload{};
  // How often the request was sent again before it was acknowledged. None: not known, because it
  // was acknowledged first and answered later while others were in flight.
  std::optional<int> retransmissions{};
};

// "no DTLS session with HOST: WHY", of one that was refused.
std::string RefusedText(const std::string& peer, const Answer& answer);

// "2.01".
std::string CodeText(const Answer& answer);

// Sends requests; libcoap retransmits the confirmable ones (after 2 to 3 s, doubling, 4 times).
// Not for several threads. Callbacks run within Process only and may call Send.
class CoapClient {
 public:
  struct Options {
    std::string host;  // IPv4, IPv6 (with or without brackets), or a name
    std::uint16_t port = 5683;
    std::shared_ptr<const TlsClient> tls{};     // none: without DTLS
    std::chrono::milliseconds timeout{93'000};  // of one answer, from its request
  };
  using OnAnswer = std::function<void(const Request&, const Answer&)>;

  // Resolves the host and opens a socket; sends nothing. `on_answer` gets each request's end once.
  static Result<std::unique_ptr<CoapClient>> Create(Options options, OnAnswer on_answer);
  ~CoapClient();
  CoapClient(const CoapClient&) = delete;
  CoapClient& operator=(const CoapClient&) = delete;

  // Puts a request on its way. An error (it fits into no datagram, no route) means it was not sent
  // and will not be answered. How many may be in flight is the caller's to bound.
  Status Send(Request request);

  // Waits for the network, at most `wait`; a signal ends the wait early.
  void Process(std::chrono::milliseconds wait);

  [[nodiscard]] std::size_t in_flight() const { return exchanges_.size(); }

  // A collector that answered before now refuses the port: it may be restarting, so requests are
  // still retransmitted. Until its next answer.
  [[nodiscard]] bool peer_is_away() const { return peer_is_away_; }

  // "host:port", as messages name the collector.
  [[nodiscard]] std::string peer() const;

  static std::string LibraryVersion();

 private:
  using Clock = std::chrono::steady_clock;
  struct Exchange {
    Request request;
    Clock::time_point sent;
    Clock::time_point deadline;
    // When it was first known to be acknowledged; what comes later is no retransmission.
    std::optional<Clock::time_point> acknowledged{};
    std::string echo{};  // that the server asked for, to prove our address; once
  };
  struct Done {
    Request request;
    Answer answer;
  };
  struct Callbacks;  // what libcoap calls
  struct Free {
    void operator()(addrinfo* addresses) const;
    void operator()(coap_context_t* context) const;
    void operator()(coap_session_t* session) const;
    void operator()(coap_pdu_t* pdu) const;
  };
  // Random per client, then the exchange's number: unique for every request.
  using Token = std::array<std::uint8_t, 8>;

  CoapClient(Options options, OnAnswer on_answer);

  Status Resolve();
  Status Connect();  // to the next address there is
  void Disconnect();
  [[nodiscard]] coap_session_t* OpenSession(const coap_address_t& address);
  Status Transmit(std::uint32_t number, const Request& request, std::string_view echo = {});
  Result<std::unique_ptr<coap_pdu_t, Free>> Encode(std::uint32_t number, const Request& request,
                                                   std::string_view echo);
  void SendAgain();
  [[nodiscard]] std::optional<std::uint32_t> NumberOf(const coap_pdu_t& pdu) const;
  void Finish(std::uint32_t number, Answer answer);
  void Fail(std::uint32_t number, Answer::Kind kind);
  void NoteAcknowledged();
  [[nodiscard]] std::optional<int> RetransmissionsOf(const Exchange& exchange,
                                                     bool piggybacked) const;
  void HandleIcmp();
  [[nodiscard]] bool LostSession() const;
  void BeginAgain();
  void TransmitAll();
  void ExpireOverdue();

  const Options options_;
  const OnAnswer on_answer_;
  std::unique_ptr<addrinfo, Free> addresses_;
  addrinfo* address_ = nullptr;  // that the session is with
  addrinfo* next_address_ = nullptr;
  Refusal refusal_;
  std::unique_ptr<coap_context_t, Free> context_;
  std::unique_ptr<coap_session_t, Free> session_;  // ends before its context
  Token token_{};
  std::chrono::microseconds ack_timeout_;  // until the first retransmission
  std::uint32_t next_number_ = 0;
  std::map<std::uint32_t, Exchange> exchanges_;  // by number, so by deadline
  std::vector<std::uint32_t> again_;             // sent again with their Echo, likewise
  std::vector<Done> done_;   // told after libcoap has returned: it must not be entered again
  bool answered_ = false;    // at least once in this session, by this address
  bool known_ = false;       // answered at least once, in whatever session
  Clock::time_point heard_;  // when it last answered
  std::optional<Clock::time_point> again_at_{};  // when to begin another session: it was away
  bool ended_ = false;                           // the collector ended the DTLS session
  bool icmp_ = false;                            // seen, not yet handled
  bool peer_is_away_ = false;
};

}  // namespace collector::client
