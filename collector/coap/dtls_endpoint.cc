#include "collector/coap/dtls_endpoint.h"

#include <coap3/coap.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "collector/base/log.h"
#include "collector/coap/bind.h"

namespace collector {
namespace {

// Passes over libcoap's descriptors a turn; each reads one datagram of every ready socket.
constexpr int kPassesPerTurnMax = 64;
constexpr int kRefusalsLoggedPerSecond = 10;

constexpr std::array kPaths = {"events", "health", ".well-known/core"};
constexpr std::array kMethods = {COAP_REQUEST_GET,    COAP_REQUEST_POST,  COAP_REQUEST_PUT,
                                 COAP_REQUEST_DELETE, COAP_REQUEST_FETCH, COAP_REQUEST_PATCH,
                                 COAP_REQUEST_IPATCH};

coap_str_const_t TextOf(const char* text) {
  return {std::strlen(text), reinterpret_cast<const std::uint8_t*>(text)};
}

SocketAddress AddressOf(const coap_address_t* address) {
  if (address->addr.sa.sa_family == AF_INET) return SocketAddress(address->addr.sin);
  return SocketAddress(address->addr.sin6);
}

ssl_st* TlsOf(const coap_session_t* session) {
  coap_tls_library_t library = COAP_TLS_LIBRARY_NOTLS;
  void* tls = coap_session_get_tls(session, &library);
  CHECK(library == COAP_TLS_LIBRARY_OPENSSL);
  return static_cast<ssl_st*>(tls);
}

// The request as it was on the wire, for the message layer: libcoap keeps those bytes to itself.
void Encode(const coap_pdu_t* pdu, std::vector<std::uint8_t>* bytes) {
  const coap_bin_const_t token = coap_pdu_get_token(pdu);
  const auto type = static_cast<unsigned>(coap_pdu_get_type(pdu));
  const auto id = static_cast<unsigned>(coap_pdu_get_mid(pdu));
  *bytes = {static_cast<std::uint8_t>(0x40U | type << 4 | token.length),
            static_cast<std::uint8_t>(coap_pdu_get_code(pdu)), static_cast<std::uint8_t>(id >> 8),
            static_cast<std::uint8_t>(id & 0xff)};
  bytes->insert(bytes->end(), token.s, token.s + token.length);
  coap_opt_iterator_t iterator;
  std::uint16_t last = 0;
  if (coap_option_iterator_init(pdu, &iterator, COAP_OPT_ALL) != nullptr) {
    while (const coap_opt_t* option = coap_option_next(&iterator)) {
      const auto delta = static_cast<std::uint16_t>(iterator.number - last);
      const std::size_t value_bytes = coap_opt_length(option);
      const std::size_t used = bytes->size();
      bytes->resize(used + coap_opt_encode_size(delta, value_bytes));
      coap_opt_encode(bytes->data() + used, bytes->size() - used, delta, coap_opt_value(option),
                      value_bytes);
      last = iterator.number;
    }
  }
  std::size_t payload_bytes = 0;
  const std::uint8_t* payload = nullptr;
  if (coap_get_data(pdu, &payload_bytes, &payload) == 0) return;
  bytes->push_back(0xff);
  bytes->insert(bytes->end(), payload, payload + payload_bytes);
}

}  // namespace

struct DtlsEndpoint::Callbacks {
  static DtlsEndpoint* Of(const coap_session_t* session) {
    return static_cast<DtlsEndpoint*>(coap_get_app_data(coap_session_get_context(session)));
  }

  // Every answer is the message layer's. One of libcoap's that is non-confirmable and without a
  // code is not sent.
  static void OnRequest(coap_resource_t* /*resource*/, coap_session_t* session,
                        const coap_pdu_t* request, const coap_string_t* /*query*/,
                        coap_pdu_t* response) {
    coap_pdu_set_type(response, COAP_MESSAGE_NON);
    coap_pdu_set_code(response, COAP_EMPTY_CODE);
    DtlsEndpoint* self = Of(session);
    const Session* peer = self->PeerOf(session);
    if (peer == nullptr) return;
    self->sessions_.splice(self->sessions_.begin(), self->sessions_,
                           self->by_number_.at(peer->number));
    Encode(request, &self->datagram_);
    self->layer_.OnDatagram(peer->addresses, self->datagram_, false, &peer->names);
  }

  static int OnEvent(coap_session_t* session, coap_event_t event) {
    DtlsEndpoint* self = Of(session);
    if (event == COAP_EVENT_DTLS_CONNECTED) self->OnConnected(session);
    if (event == COAP_EVENT_DTLS_ERROR) self->OnGone(session, FailureOf(TlsOf(session)));
    if (event == COAP_EVENT_DTLS_CLOSED) self->OnGone(session, "another key, or it went silent");
    if (event == COAP_EVENT_SERVER_SESSION_DEL) self->OnGone(session, {});
    return 0;
  }

  static const coap_bin_const_t* OnIdentity(coap_bin_const_t* identity, coap_session_t* session,
                                            void* endpoint) {
    auto* self = static_cast<DtlsEndpoint*>(endpoint);
    const std::string name(reinterpret_cast<const char*>(identity->s), identity->length);
    const auto found = self->keys_.find(name);
    if (found == self->keys_.end()) {
      self->Refused(session, "no key for identity '" + name + "'");
      return nullptr;
    }
    static thread_local coap_bin_const_t key;  // libcoap copies it at once
    key = {found->second.size(), reinterpret_cast<const std::uint8_t*>(found->second.data())};
    return &key;
  }

  static int OnHello(void* tls, coap_dtls_pki_t* setup) {
    const auto* self = static_cast<const DtlsEndpoint*>(setup->cn_call_back_arg);
    return self->certificates_->Apply(static_cast<ssl_st*>(tls)) ? 1 : 0;
  }
};

void DtlsEndpoint::Free::operator()(coap_context_t* context) const { coap_free_context(context); }

DtlsEndpoint::DtlsEndpoint(DtlsOptions options, Handler handler, Poller* poller, Metrics* metrics,
                           std::shared_ptr<spdlog::logger> log)
    : options_(std::move(options)),
      poller_(poller),
      metrics_(metrics),
      log_(std::move(log)),
      psk_file_(options_.psk_file),
      layer_(options_.message_layer, std::move(handler), this, metrics) {
  const CertificateFiles& files = options_.certificates;
  for (const std::string& path : {files.certificate, files.key, files.client_ca, files.revocation})
    if (!path.empty()) certificate_files_.emplace_back(path);
}

DtlsEndpoint::~DtlsEndpoint() {
  if (context_ == nullptr) return;
  poller_->Forget(coap_context_get_coap_fd(context_.get()));
  coap_register_event_handler(context_.get(), nullptr);
}

Result<std::unique_ptr<DtlsEndpoint>> DtlsEndpoint::Create(const DtlsOptions& options,
                                                           Handler handler, Poller* poller,
                                                           Metrics* metrics,
                                                           std::shared_ptr<spdlog::logger> log) {
  DtlsOptions own = options;
  own.message_layer.over_dtls = true;
  std::unique_ptr<DtlsEndpoint> endpoint(
      new DtlsEndpoint(std::move(own), std::move(handler), poller, metrics, std::move(log)));
  if (Status opened = endpoint->Open(); !opened.ok()) return opened.error();
  return endpoint;
}

Status DtlsEndpoint::Open() {
  coap_startup();
  context_.reset(coap_new_context(nullptr));
  CHECK(context_ != nullptr);
  coap_context_t* context = context_.get();
  coap_set_app_data(context, this);
  coap_register_event_handler(context, &Callbacks::OnEvent);
  coap_context_set_max_handshake_sessions(context, options_.handshakes_max);
  coap_context_set_session_timeout(context, options_.idle_seconds_max);
  if (Status keys = OpenKeys(); !keys.ok()) return keys;
  // libcoap answers by itself what has no handler, and the second of these for no path of ours.
  for (const char* path : kPaths) {
    coap_str_const_t name = TextOf(path);
    coap_resource_t* resource = coap_resource_init(&name, 0);
    for (const auto method : kMethods)
      coap_register_request_handler(resource, method, &Callbacks::OnRequest);
    coap_add_resource(context, resource);
  }
  coap_resource_t* others = coap_resource_unknown_init(&Callbacks::OnRequest);
  for (const auto method : kMethods)
    coap_register_request_handler(others, method, &Callbacks::OnRequest);
  coap_add_resource(context, others);
  for (const SocketAddress& address : options_.listen) {
    if (Status listening = Listen(address); !listening.ok()) return listening;
  }
  return poller_->Watch(coap_context_get_coap_fd(context), [this] { OnReadable(); });
}

Status DtlsEndpoint::OpenKeys() {
  if (!options_.psk_file.empty()) {
    psk_file_.Changed();
    if (Status loaded = LoadKeys(); !loaded.ok()) return loaded;
    coap_dtls_spsk_t setup{};
    setup.version = COAP_DTLS_SPSK_SETUP_VERSION;
    setup.validate_id_call_back = &Callbacks::OnIdentity;
    setup.id_call_back_arg = this;
    CHECK(coap_context_set_psk2(context_.get(), &setup) == 1);
  }
  if (!options_.certificates.certificate.empty()) {
    for (WatchedFile& file : certificate_files_) file.Changed();
    if (Status loaded = LoadCertificates(); !loaded.ok()) return loaded;
    coap_dtls_pki_t setup{};
    setup.version = COAP_DTLS_PKI_SETUP_VERSION;
    setup.verify_peer_cert = 1;
    setup.pki_key.key_type = COAP_PKI_KEY_PEM_BUF;  // empty: OnHello gives what is needed
    setup.cn_call_back_arg = this;
    setup.additional_tls_setup_call_back = &Callbacks::OnHello;
    CHECK(coap_context_set_pki(context_.get(), &setup) == 1);
  }
  return Ok{};
}

// libcoap would share a port that is taken, so it is taken here first.
Status DtlsEndpoint::Listen(const SocketAddress& address) {
  SocketAddress bound = address;
  {
    auto taken = BindSockets({.listen = {address}, .name = "coaps"});
    if (!taken.ok()) {
      const bool others = options_.listen.size() > 1 && !addresses_.empty();
      if (others && address.family() == AF_INET6 && address.IsWildcard()) return Ok{};
      return taken.error();
    }
    bound = taken.value().front().front().address;
  }
  coap_address_t listen;
  coap_address_init(&listen);
  listen.size = bound.size();
  std::memcpy(&listen.addr, bound.raw(), bound.size());
  errno = 0;
  if (coap_new_endpoint(context_.get(), &listen, COAP_PROTO_DTLS) == nullptr) {
    return Error{ErrorCode::kIo, "coaps " + bound.ToString() + ": " + std::strerror(errno)};
  }
  addresses_.push_back(bound);
  return Ok{};
}

Status DtlsEndpoint::LoadKeys() {
  auto text = ReadFile(psk_file_.path());
  if (!text.ok()) return text.error();
  auto keys = ParsePskFile(text.value());
  if (!keys.ok()) {
    return Error{ErrorCode::kConfig, psk_file_.path() + ": " + keys.error().message};
  }
  // Whose key is gone or another has no session any more.
  std::vector<coap_session_t*> ended;
  for (const Session& session : sessions_) {
    if (session.names.empty() || !session.names.front().starts_with("psk:")) continue;
    const std::string identity = session.names.front().substr(4);
    const auto before = keys_.find(identity);
    const auto now = keys.value().find(identity);
    if (before == keys_.end() || now == keys.value().end() || before->second != now->second) {
      ended.push_back(session.session);
    }
  }
  keys_ = std::move(keys).value();
  for (coap_session_t* session : ended) coap_session_disconnected(session, COAP_NACK_TLS_FAILED);
  return Ok{};
}

Status DtlsEndpoint::LoadCertificates() {
  auto certificates = Certificates::Load(options_.certificates);
  if (!certificates.ok()) return certificates.error();
  certificates_ = std::move(certificates).value();
  return Ok{};
}

void DtlsEndpoint::ReloadChanged() {
  const auto reload = [this](Status (DtlsEndpoint::*load)(), const std::string& what) {
    if (Status loaded = (this->*load)(); !loaded.ok()) {
      log_->error("coaps: {}; going on with the {} of before{}", loaded.error().message, what,
                  Action("reload-failed"));
    } else {
      log_->info("coaps: {} read again{}", what, Action("reloaded"));
    }
  };
  if (psk_file_.Changed()) reload(&DtlsEndpoint::LoadKeys, "keys");
  bool changed = false;
  for (WatchedFile& file : certificate_files_) changed |= file.Changed();
  if (changed) reload(&DtlsEndpoint::LoadCertificates, "certificates");
}

std::string DtlsEndpoint::Addresses() const {
  std::string text;
  for (const SocketAddress& address : addresses_) {
    if (!text.empty()) text += ",";
    text += address.ToString();
  }
  return text;
}

void DtlsEndpoint::SetTime(Instant now) {
  layer_.SetTime(now);
  if (now.monotonic_ns - second_ns_ < kNsPerSecond) return;
  second_ns_ = now.monotonic_ns;
  refusals_logged_ = 0;
  if (refusals_unlogged_ > 0) {
    log_->warn("coaps: and {} more handshakes failed{}", refusals_unlogged_,
               Action("handshakes-failed"));
    refusals_unlogged_ = 0;
  }
  ReloadChanged();
  coap_tick_t ticks = 0;
  coap_ticks(&ticks);
  coap_io_prepare_epoll(context_.get(), ticks);  // ends sessions that are idle
}

void DtlsEndpoint::Flush() { layer_.OnTime(); }

void DtlsEndpoint::OnReadable() {
  std::array<epoll_event, 8> events{};
  for (int i = 0; i < kPassesPerTurnMax; ++i) {
    const int ready = epoll_wait(coap_context_get_coap_fd(context_.get()), events.data(),
                                 static_cast<int>(events.size()), 0);
    if (ready <= 0) return;
    coap_io_do_epoll(context_.get(), events.data(), static_cast<std::size_t>(ready));
  }
}

// Null while the handshake is under way, and when the session has ended.
DtlsEndpoint::Session* DtlsEndpoint::PeerOf(const coap_session_t* session) {
  auto* peer = static_cast<Session*>(coap_session_get_app_data(session));
  return peer == &ended_ ? nullptr : peer;
}

void DtlsEndpoint::OnConnected(coap_session_t* session) {
  if (coap_session_get_app_data(session) != nullptr) return;
  metrics_->coaps.handshakes_succeeded.Add();
  if (sessions_.size() >= options_.sessions_max) {
    metrics_->coaps.sessions_evicted.Add();
    coap_session_disconnected(sessions_.back().session, COAP_NACK_NOT_DELIVERABLE);
  }
  Session& added = sessions_.emplace_front();
  added.number = next_number_++;
  added.session = session;
  added.addresses = {.remote = AddressOf(coap_session_get_addr_remote(session)),
                     .local = AddressOf(coap_session_get_addr_local(session)),
                     .socket = added.number};
  added.names = NamesOf(TlsOf(session));
  by_number_[added.number] = sessions_.begin();
  coap_session_set_app_data(session, &added);
  metrics_->coaps.sessions.Set(sessions_.size());
}

// `why`: of a handshake that did not succeed; empty: there may have been none.
void DtlsEndpoint::OnGone(coap_session_t* session, const std::string& why) {
  if (coap_session_get_app_data(session) == nullptr && !why.empty()) return Refused(session, why);
  const Session* gone = PeerOf(session);
  if (gone == nullptr) return;
  coap_session_set_app_data(session, &ended_);
  const auto found = by_number_.find(gone->number);
  sessions_.erase(found->second);
  by_number_.erase(found);
  metrics_->coaps.sessions.Set(sessions_.size());
}

void DtlsEndpoint::Refused(coap_session_t* session, const std::string& why) {
  coap_session_set_app_data(session, &ended_);
  metrics_->coaps.handshakes_failed.Add();
  if (refusals_logged_ == kRefusalsLoggedPerSecond) {
    ++refusals_unlogged_;
    return;
  }
  ++refusals_logged_;
  log_->warn("coaps: handshake with {} failed: {}{}",
             AddressOf(coap_session_get_addr_remote(session)).ToString(), why,
             Action("handshake-failed"));
}

void DtlsEndpoint::Send(const AddressPair& addresses, Bytes bytes) {
  const auto found = by_number_.find(addresses.socket);
  if (found == by_number_.end()) return metrics_->coap.datagrams_send_failed.Add();
  coap_pdu_t* pdu =
      coap_pdu_init(COAP_MESSAGE_CON, COAP_EMPTY_CODE, 0, std::max<std::size_t>(bytes.size(), 64));
  CHECK(pdu != nullptr);
  CHECK(coap_pdu_parse(COAP_PROTO_UDP, bytes.data(), bytes.size(), pdu) == 1);
  if (coap_send(found->second->session, pdu) == COAP_INVALID_MID) {
    metrics_->coap.datagrams_send_failed.Add();
  }
}

}  // namespace collector
