#include "client/coap_client.h"

#include <coap3/coap.h>
#include <netdb.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <random>
#include <string_view>
#include <utility>

namespace collector::client {
namespace {

constexpr std::size_t kTokenRandomBytes = 4;
constexpr int kRetransmissionsMax = 4;
constexpr std::chrono::milliseconds kTimerSlack{20};  // libcoap's clock and ours, and its rounding
constexpr std::size_t kEchoBytesMax = 40;             // RFC 9175 section 2.2.1
// So long a DTLS session may be silent with a request in it: the first two retransmissions.
constexpr int kSilentTimeouts = 3;
constexpr std::chrono::seconds kAwayPause{1};  // between attempts at one that refuses the port
constexpr unsigned kAckTimeoutSteps = 64;      // a second is so many of libcoap's units of it

std::string WithoutBrackets(const std::string& host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    return host.substr(1, host.size() - 2);
  }
  return host;
}

std::string ErrnoText(int number) { return number == 0 ? "unknown error" : std::strerror(number); }

bool AddOption(coap_pdu_t* pdu, coap_option_num_t number, std::string_view value) {
  return coap_add_option(pdu, number, value.size(),
                         reinterpret_cast<const std::uint8_t*>(value.data())) != 0;
}

Answer AnswerOf(const coap_pdu_t& received) {
  Answer answer{.kind = Answer::Kind::kResponse};
  const coap_pdu_code_t code = coap_pdu_get_code(&received);
  answer.code_class = static_cast<int>(code) >> 5;
  answer.code_detail = static_cast<int>(code) & 0x1f;
  coap_opt_iterator_t iterator;
  if (coap_opt_t* max_age = coap_check_option(&received, COAP_OPTION_MAXAGE, &iterator)) {
    answer.max_age_s = coap_decode_var_bytes(coap_opt_value(max_age), coap_opt_length(max_age));
  }
  std::size_t size = 0;
  const std::uint8_t* data = nullptr;
  if (coap_get_data(&received, &size, &data) != 0) answer.payload.assign(data, data + size);
  return answer;
}

// What a 4.01 asks to bring back (RFC 9175 section 2.3); empty: nothing.
std::string EchoOf(const coap_pdu_t& received) {
  coap_opt_iterator_t iterator;
  if (coap_pdu_get_code(&received) != COAP_RESPONSE_CODE(401)) return {};
  const coap_opt_t* echo = coap_check_option(&received, COAP_OPTION_ECHO, &iterator);
  if (echo == nullptr || coap_opt_length(echo) > kEchoBytesMax) return {};
  return {reinterpret_cast<const char*>(coap_opt_value(echo)), coap_opt_length(echo)};
}

// libcoap does not tell when it retransmits. With a fixed first timeout it is known nevertheless;
// it is random for each client, so that they do not come in step (RFC 7252 section 4.2).
std::chrono::microseconds RandomAckTimeout(std::random_device* random) {
  const unsigned steps = 2 * kAckTimeoutSteps + (*random)() % kAckTimeoutSteps;
  return std::chrono::microseconds(1'000'000LL * steps / kAckTimeoutSteps);
}

void FixAckTimeout(coap_session_t* session, std::chrono::microseconds timeout) {
  const auto ms = timeout.count() / 1000;
  coap_session_set_ack_timeout(
      session, {static_cast<std::uint16_t>(ms / 1000), static_cast<std::uint16_t>(ms % 1000)});
  coap_session_set_ack_random_factor(session, {1, 0});
}

}  // namespace

std::string RefusedText(const std::string& peer, const Answer& answer) {
  return "no DTLS session with " + peer + ": " +
         (answer.refusal.empty() ? "no answer to the handshake" : answer.refusal);
}

std::string CodeText(const Answer& answer) {
  std::string detail = std::to_string(answer.code_detail);
  if (detail.size() < 2) detail.insert(0, 1, '0');
  return std::to_string(answer.code_class) + "." + detail;
}

struct CoapClient::Callbacks {
  static CoapClient* Of(const coap_session_t* session) {
    return static_cast<CoapClient*>(coap_session_get_app_data(session));
  }

  static coap_response_t OnResponse(coap_session_t* session, const coap_pdu_t* /*sent*/,
                                    const coap_pdu_t* received, coap_mid_t /*mid*/) {
    CoapClient* self = Of(session);
    const auto number = self->NumberOf(*received);
    if (!number.has_value()) return COAP_RESPONSE_FAIL;  // never asked for: RST
    self->answered_ = self->known_ = true;
    self->heard_ = Clock::now();
    self->again_at_.reset();
    self->peer_is_away_ = false;
    Answer answer = AnswerOf(*received);
    if (const auto found = self->exchanges_.find(*number); found != self->exchanges_.end()) {
      std::string echo = EchoOf(*received);
      if (!echo.empty() && found->second.echo.empty()) {
        found->second.echo = std::move(echo);
        self->again_.push_back(*number);
        return COAP_RESPONSE_OK;
      }
      answer.retransmissions =
          self->RetransmissionsOf(found->second, coap_pdu_get_type(received) == COAP_MESSAGE_ACK);
    }
    self->Finish(*number, std::move(answer));
    return COAP_RESPONSE_OK;  // also where it came before: its ACK may have been lost
  }

  static void OnNack(coap_session_t* session, const coap_pdu_t* sent, coap_nack_reason_t reason,
                     coap_mid_t /*mid*/) {
    CoapClient* self = Of(session);
    if (reason == COAP_NACK_ICMP_ISSUE) {
      self->icmp_ = true;  // libcoap goes on retransmitting
      return;
    }
    // The collector has ended a session that was there: another one will do.
    const bool closed =
        reason == COAP_NACK_TLS_FAILED && self->answered_ && self->refusal_.why.empty();
    if (closed) self->ended_ = true;
    const auto number = sent != nullptr ? self->NumberOf(*sent) : std::nullopt;
    if (!number.has_value() || closed) return;
    self->Fail(*number, reason == COAP_NACK_RST          ? Answer::Kind::kReset
                        : reason == COAP_NACK_TLS_FAILED ? Answer::Kind::kRefused
                                                         : Answer::Kind::kTimeout);
  }

  static int OnEvent(coap_session_t* session, coap_event_t event) {
    if (event == COAP_EVENT_DTLS_CLOSED && Of(session)->answered_) Of(session)->ended_ = true;
    return 0;
  }
};

void CoapClient::Free::operator()(addrinfo* addresses) const { freeaddrinfo(addresses); }
void CoapClient::Free::operator()(coap_context_t* context) const { coap_free_context(context); }
void CoapClient::Free::operator()(coap_session_t* session) const { coap_session_release(session); }
void CoapClient::Free::operator()(coap_pdu_t* pdu) const { coap_delete_pdu(pdu); }

CoapClient::CoapClient(Options options, OnAnswer on_answer)
    : options_(std::move(options)), on_answer_(std::move(on_answer)) {
  std::random_device random;
  for (std::size_t i = 0; i < kTokenRandomBytes; ++i) {
    token_[i] = static_cast<std::uint8_t>(random());
  }
  ack_timeout_ = RandomAckTimeout(&random);
}

CoapClient::~CoapClient() { Disconnect(); }

Result<std::unique_ptr<CoapClient>> CoapClient::Create(Options options, OnAnswer on_answer) {
  coap_startup();
  // Level 0 under both its names (LOG_EMERG to 4.3.1, COAP_LOG_EMERG later): what goes wrong is
  // told by this class, in its own words.
  coap_set_log_level(static_cast<coap_log_t>(0));
  std::unique_ptr<CoapClient> client(new CoapClient(std::move(options), std::move(on_answer)));
  if (Status resolved = client->Resolve(); !resolved.ok()) return resolved.error();
  if (Status connected = client->Connect(); !connected.ok()) return connected.error();
  return client;
}

Status CoapClient::Resolve() {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* addresses = nullptr;
  const int error = getaddrinfo(WithoutBrackets(options_.host).c_str(),
                                std::to_string(options_.port).c_str(), &hints, &addresses);
  if (error != 0) {
    return Error{ErrorCode::kUnavailable,
                 "cannot resolve host '" + options_.host + "': " + gai_strerror(error)};
  }
  addresses_.reset(addresses);
  next_address_ = addresses;
  return Ok{};
}

Status CoapClient::Connect() {
  int error = 0;
  for (; next_address_ != nullptr; next_address_ = next_address_->ai_next) {
    coap_address_t address;
    coap_address_init(&address);
    address.size = next_address_->ai_addrlen;
    std::memcpy(&address.addr, next_address_->ai_addr, next_address_->ai_addrlen);
    if (coap_is_mcast(&address)) {
      // To libcoap a broadcast address too, as this machine's own is in a network of one (/32).
      return Error{ErrorCode::kInvalid, "host '" + options_.host +
                                            "' is a multicast or broadcast address; this machine "
                                            "itself is reached at 127.0.0.1"};
    }
    Disconnect();
    context_.reset(coap_new_context(nullptr));  // anew: what the last one had queued goes with it
    CHECK(context_ != nullptr);
    errno = 0;
    session_.reset(OpenSession(address));
    if (session_ == nullptr) {
      error = errno;
      continue;
    }
    coap_register_response_handler(context_.get(), &Callbacks::OnResponse);
    coap_register_nack_handler(context_.get(), &Callbacks::OnNack);
    coap_register_event_handler(context_.get(), &Callbacks::OnEvent);
    coap_session_set_app_data(session_.get(), this);
    coap_session_set_nstart(session_.get(), 255);  // the caller bounds what is in flight
    FixAckTimeout(session_.get(), ack_timeout_);
    address_ = std::exchange(next_address_, next_address_->ai_next);
    return Ok{};
  }
  return Error{ErrorCode::kUnavailable, "cannot reach " + peer() + ": " + ErrnoText(error)};
}

coap_session_t* CoapClient::OpenSession(const coap_address_t& address) {
  if (options_.tls == nullptr) {
    return coap_new_client_session(context_.get(), nullptr, &address, COAP_PROTO_UDP);
  }
  const Credentials& credentials = options_.tls->credentials();
  const bool psk = !credentials.psk_identity.empty();
  coap_session_t* session = nullptr;
  if (psk) {
    const auto bytes = [](const std::string& text) {
      return coap_bin_const_t{text.size(), reinterpret_cast<const std::uint8_t*>(text.data())};
    };
    coap_dtls_cpsk_t setup{};
    setup.version = COAP_DTLS_CPSK_SETUP_VERSION;
    setup.psk_info = {bytes(credentials.psk_identity), bytes(credentials.psk_key)};
    session =
        coap_new_client_session_psk2(context_.get(), nullptr, &address, COAP_PROTO_DTLS, &setup);
  } else {
    coap_dtls_pki_t setup{};  // libcoap's own would send no chain and look at no name
    setup.version = COAP_DTLS_PKI_SETUP_VERSION;
    setup.verify_peer_cert = 1;
    session =
        coap_new_client_session_pki(context_.get(), nullptr, &address, COAP_PROTO_DTLS, &setup);
  }
  if (session == nullptr) return nullptr;
  coap_tls_library_t library = COAP_TLS_LIBRARY_NOTLS;
  auto* tls = static_cast<ssl_st*>(coap_session_get_tls(session, &library));
  CHECK(tls != nullptr && library == COAP_TLS_LIBRARY_OPENSSL);
  if (!psk) options_.tls->UseCertificates(tls, WithoutBrackets(options_.host));
  refusal_ = {.identity = credentials.psk_identity, .why = {}};
  WatchAlerts(tls, &refusal_);
  return session;
}

void CoapClient::Disconnect() {
  if (context_ == nullptr) return;
  coap_register_nack_handler(context_.get(), nullptr);  // what it drops is not for us to hear
  coap_register_event_handler(context_.get(), nullptr);
  session_.reset();
  context_.reset();
}

Status CoapClient::Send(Request request) {
  if (ended_) BeginAgain();
  const std::uint32_t number = next_number_++;
  if (Status sent = Transmit(number, request); !sent.ok()) return sent;
  const Clock::time_point now = Clock::now();
  exchanges_.emplace(number, Exchange{std::move(request), now, now + options_.timeout});
  return Ok{};
}

Status CoapClient::Transmit(std::uint32_t number, const Request& request, std::string_view echo) {
  // A refusal of an earlier datagram that nobody has read yet makes one send fail; the next works.
  for (int attempt = 0; attempt < 2; ++attempt) {
    auto pdu = Encode(number, request, echo);
    if (!pdu.ok()) return pdu.error();
    errno = 0;
    if (coap_send(session_.get(), std::move(pdu).value().release()) != COAP_INVALID_MID) {
      return Ok{};
    }
    if (errno == ECONNREFUSED) icmp_ = true;
  }
  return Error{ErrorCode::kIo, "cannot send to " + peer() + ": " + ErrnoText(errno)};
}

Result<std::unique_ptr<coap_pdu_t, CoapClient::Free>> CoapClient::Encode(std::uint32_t number,
                                                                         const Request& request,
                                                                         std::string_view echo) {
  const bool get = request.method == Method::kGet;
  std::unique_ptr<coap_pdu_t, Free> pdu(
      coap_new_pdu(request.confirmable ? COAP_MESSAGE_CON : COAP_MESSAGE_NON,
                   get ? COAP_REQUEST_CODE_GET : COAP_REQUEST_CODE_POST, session_.get()));
  CHECK(pdu != nullptr);
  Token token = token_;
  for (std::size_t i = kTokenRandomBytes; i < token.size(); ++i) {
    token[i] = static_cast<std::uint8_t>(number >> (8 * (token.size() - 1 - i)));
  }
  bool fits = coap_add_token(pdu.get(), token.size(), token.data()) != 0 &&
              AddOption(pdu.get(), COAP_OPTION_URI_PATH, request.path);
  if (!request.body.empty()) {
    std::array<std::uint8_t, 2> format{};
    const unsigned size =
        coap_encode_var_safe(format.data(), format.size(), request.content_format);
    fits = fits && coap_add_option(pdu.get(), COAP_OPTION_CONTENT_FORMAT, size, format.data()) != 0;
  }
  if (!echo.empty()) fits = fits && AddOption(pdu.get(), COAP_OPTION_ECHO, echo);
  if (!request.body.empty()) {
    fits = fits && coap_add_data(pdu.get(), request.body.size(),
                                 reinterpret_cast<const std::uint8_t*>(request.body.data())) != 0;
  }
  if (!fits) {
    return Error{ErrorCode::kInvalid, "an event of " + std::to_string(request.body.size()) +
                                          " bytes does not fit into one datagram (about 1100 do)"};
  }
  return pdu;
}

std::optional<std::uint32_t> CoapClient::NumberOf(const coap_pdu_t& pdu) const {
  const coap_bin_const_t token = coap_pdu_get_token(&pdu);
  if (token.length != token_.size() ||
      !std::equal(token_.begin(), token_.begin() + kTokenRandomBytes, token.s)) {
    return std::nullopt;
  }
  std::uint32_t number = 0;
  for (std::size_t i = kTokenRandomBytes; i < token.length; ++i) number = number << 8 | token.s[i];
  if (number >= next_number_) return std::nullopt;
  return number;
}

void CoapClient::Finish(std::uint32_t number, Answer answer) {
  const auto found = exchanges_.find(number);
  if (found == exchanges_.end()) return;  // a duplicate, or too late
  done_.push_back({std::move(found->second.request), std::move(answer)});
  exchanges_.erase(found);
}

void CoapClient::Process(std::chrono::milliseconds wait) {
  const auto wait_ms =
      icmp_ ? 0 : static_cast<std::uint32_t>(std::max<std::int64_t>(wait.count(), 0));
  coap_io_process(context_.get(), wait_ms == 0 ? COAP_IO_NO_WAIT : wait_ms);
  SendAgain();
  NoteAcknowledged();
  if (icmp_) HandleIcmp();
  if (ended_ || LostSession()) BeginAgain();
  ExpireOverdue();
  for (const Done& done : std::exchange(done_, {})) on_answer_(done.request, done.answer);
}

// The server wants to know that this address is ours.
void CoapClient::SendAgain() {
  for (const std::uint32_t number : std::exchange(again_, {})) {
    const auto found = exchanges_.find(number);
    if (found == exchanges_.end()) continue;
    found->second.sent = Clock::now();
    found->second.acknowledged.reset();
    // What cannot be sent runs into its deadline.
    (void)Transmit(number, found->second.request, found->second.echo);
  }
}

void CoapClient::Fail(std::uint32_t number, Answer::Kind kind) {
  const auto found = exchanges_.find(number);
  if (found == exchanges_.end()) return;
  Answer answer{.kind = kind};
  if (kind == Answer::Kind::kRefused) answer.refusal = refusal_.why;
  answer.retransmissions = RetransmissionsOf(found->second, true);
  Finish(number, std::move(answer));
}

// A collector that ended without a word knows our session no more, and drops what comes in it.
bool CoapClient::LostSession() const {
  if (options_.tls == nullptr || exchanges_.empty()) return false;
  const Clock::time_point now = Clock::now();
  if (again_at_.has_value()) return *again_at_ <= now;
  const Exchange& oldest = exchanges_.begin()->second;
  return answered_ && oldest.request.confirmable && !oldest.acknowledged.has_value() &&
         std::max(heard_, oldest.sent) + kSilentTimeouts * ack_timeout_ <= now;
}

void CoapClient::BeginAgain() {
  ended_ = answered_ = false;
  again_at_.reset();
  next_address_ = address_;
  if (Connect().ok()) TransmitAll();
}

void CoapClient::TransmitAll() {
  for (auto& [number, exchange] : exchanges_) {
    exchange.sent = Clock::now();
    exchange.acknowledged.reset();
    (void)Transmit(number, exchange.request);  // what cannot be sent runs into its deadline
  }
}

// Nothing is left to retransmit: all that is in flight is acknowledged.
void CoapClient::NoteAcknowledged() {
  if (exchanges_.empty() || coap_can_exit(context_.get()) == 0) return;
  const Clock::time_point now = Clock::now();
  for (auto& [number, exchange] : exchanges_) {
    if (!exchange.acknowledged.has_value()) exchange.acknowledged = now;
  }
}

std::optional<int> CoapClient::RetransmissionsOf(const Exchange& exchange, bool piggybacked) const {
  if (!exchange.request.confirmable) return 0;
  if (!piggybacked && !exchange.acknowledged.has_value()) return std::nullopt;
  const auto waited = exchange.acknowledged.value_or(Clock::now()) - exchange.sent + kTimerSlack;
  int count = 0;
  while (count < kRetransmissionsMax && waited >= ack_timeout_ * ((2 << count) - 1)) ++count;
  return count;
}

void CoapClient::HandleIcmp() {
  icmp_ = false;
  if (known_) {
    peer_is_away_ = true;
    if (!again_at_.has_value()) again_at_ = Clock::now() + kAwayPause;
    return;
  }
  if (next_address_ != nullptr && Connect().ok()) return TransmitAll();
  while (!exchanges_.empty()) {
    Fail(exchanges_.begin()->first, Answer::Kind::kUnreachable);
  }
}

void CoapClient::ExpireOverdue() {
  const Clock::time_point now = Clock::now();
  while (!exchanges_.empty() && exchanges_.begin()->second.deadline <= now) {
    Fail(exchanges_.begin()->first, Answer::Kind::kTimeout);
  }
}

std::string CoapClient::peer() const {
  const std::string host = WithoutBrackets(options_.host);
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(options_.port);
}

std::string CoapClient::LibraryVersion() { return coap_package_version(); }

}  // namespace collector::client
