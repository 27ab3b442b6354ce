#include "collector/coap/dtls_sessions.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "collector/coap/message.h"

namespace collector {
namespace {

constexpr std::int64_t kTimerNs = 250 * kNsPerMs;
constexpr std::int64_t kHandshakeNsMax = 30 * kNsPerSecond;
// One that is under way for so long makes room for another where there are too many.
constexpr std::int64_t kHandshakeNsEnough = 10 * kNsPerSecond;
// OpenSSL keeps what comes before its turn: this bounds how much that can be.
constexpr int kHandshakeDatagramsMax = 48;
// How exact the order of sessions by when they were heard is: their neighbours are not in the
// cache.
constexpr std::int64_t kListedNs = kNsPerSecond;
constexpr std::int64_t kSecretNs = 60 * kNsPerSecond;
// Ours of a handshake: what an IPv6 network must carry (1,280), without IP's and UDP's headers.
constexpr long kHandshakeBytesMax = 1'232;

// RFC 5246 section 7.2.
constexpr std::uint8_t kWarning = 1;
constexpr std::uint8_t kFatal = 2;
constexpr std::uint8_t kCloseNotify = 0;
constexpr std::uint8_t kBadRecordMac = 20;

// OpenSSL's first record says 1.0.
bool IsHello(Bytes datagram) {
  constexpr std::uint8_t kClientHello = 1;
  return datagram.size() > kRecordHeaderBytes &&
         RecordType{datagram[0]} == RecordType::kHandshake && datagram[3] == 0 &&
         datagram[4] == 0 && datagram[kRecordHeaderBytes] == kClientHello;
}

// Whether a datagram holds a handshake message under keys that were just agreed on.
bool HoldsFinished(Bytes datagram) {
  while (const auto record = TakeRecord(&datagram)) {
    if (record->type == RecordType::kHandshake && record->epoch() == 1) return true;
  }
  return false;
}

// What follows the handshake in the datagram that completed it.
Bytes AfterHandshake(Bytes datagram) {
  while (!datagram.empty() && RecordType{datagram[0]} != RecordType::kApplicationData) {
    TakeRecord(&datagram);
  }
  return datagram;
}

// What others say may go into a log.
std::string Printable(std::string_view text) {
  std::string shown(text.substr(0, 64));
  for (char& c : shown)
    if (c < ' ' || c > '~') c = '?';
  return shown;
}

void DrawSecret(std::array<std::uint8_t, 32>* secret) {
  CHECK(getrandom(secret->data(), secret->size(), 0) == static_cast<ssize_t>(secret->size()));
}

}  // namespace

struct DtlsSessions::Callbacks {
  static DtlsSessions* Of(const SSL* tls) {
    return static_cast<DtlsSessions*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(tls)));
  }

  static unsigned int OnIdentity(SSL* tls, const char* identity, unsigned char* key,
                                 unsigned int key_bytes_max) {
    DtlsSessions* self = Of(tls);
    const PskTable& psks = self->keys_.psks();
    const auto found = psks.find(identity);
    if (found == psks.end() || found->second.size() > key_bytes_max) {
      self->unknown_identity_ = Printable(identity);
      return 0;  // OpenSSL alerts unknown_psk_identity
    }
    std::memcpy(key, found->second.data(), found->second.size());
    return static_cast<unsigned int>(found->second.size());
  }

  static int MakeCookie(SSL* tls, unsigned char* cookie, unsigned int* bytes) {
    const auto made = Of(tls)->CookieOf(0);
    std::memcpy(cookie, made.data(), made.size());
    *bytes = made.size();
    return 1;
  }

  static int CheckCookie(SSL* tls, const unsigned char* cookie, unsigned int bytes) {
    for (const std::size_t secret : {std::size_t{0}, std::size_t{1}}) {
      const auto made = Of(tls)->CookieOf(secret);
      if (bytes == made.size() && CRYPTO_memcmp(cookie, made.data(), bytes) == 0) return 1;
    }
    return 0;
  }

  static int Write(BIO* bio, const char* bytes, int count) {
    auto* self = static_cast<DtlsSessions*>(BIO_get_data(bio));
    const Bytes datagram(reinterpret_cast<const std::uint8_t*>(bytes),
                         static_cast<std::size_t>(count));
    self->sink_->Send(*self->current_, datagram);
    self->flight_.insert(self->flight_.end(), datagram.begin(), datagram.end());
    return count;
  }

  static int Read(BIO* bio, char* bytes, int room) {
    auto* self = static_cast<DtlsSessions*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (self->incoming_.empty()) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const std::size_t count = std::min(self->incoming_.size(), static_cast<std::size_t>(room));
    std::memcpy(bytes, self->incoming_.data(), count);
    self->incoming_ = {};  // a datagram: what does not fit is lost
    return static_cast<int>(count);
  }

  static long Control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
    switch (command) {
      case BIO_CTRL_FLUSH:
        return 1;
      case BIO_CTRL_DGRAM_QUERY_MTU:
      case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
        return kHandshakeBytesMax;
      default:
        return 0;
    }
  }
};

DtlsSessions::DtlsSessions(const DtlsOptions& options, OnDtlsMessage on_message, DatagramSink* sink,
                           Metrics* metrics, std::shared_ptr<spdlog::logger> log)
    : options_(options),
      on_message_(std::move(on_message)),
      sink_(sink),
      metrics_(metrics),
      keys_(options.files, std::move(log)),
      method_(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "datagram"),
              &BIO_meth_free) {
  CHECK(method_ != nullptr);
  BIO_meth_set_write(method_.get(), &Callbacks::Write);
  BIO_meth_set_read(method_.get(), &Callbacks::Read);
  BIO_meth_set_ctrl(method_.get(), &Callbacks::Control);
  for (auto& secret : cookie_secrets_) DrawSecret(&secret);
}

DtlsSessions::~DtlsSessions() = default;

Status DtlsSessions::Open() {
  if (Status loaded = keys_.Load(); !loaded.ok()) return loaded;
  UseContext();
  return Ok{};
}

// A new one of ours. Sessions hold on to the one that they began with.
void DtlsSessions::UseContext() {
  listener_.reset();
  SSL_CTX* context = keys_.context();
  SSL_CTX_set_app_data(context, this);
  SSL_CTX_set_cookie_generate_cb(context, &Callbacks::MakeCookie);
  SSL_CTX_set_cookie_verify_cb(context, &Callbacks::CheckCookie);
  if (!options_.files.psk.empty()) {
    SSL_CTX_set_psk_server_callback(context, &Callbacks::OnIdentity);
  }
}

Tls DtlsSessions::NewTls() {
  Tls tls(SSL_new(keys_.context()));
  BIO* bio = BIO_new(method_.get());
  CHECK(tls != nullptr && bio != nullptr);
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(tls.get(), bio, bio);
  SSL_set_accept_state(tls.get());
  SSL_set_mtu(tls.get(), kHandshakeBytesMax);
  return tls;
}

// Who sends, and to which of our addresses.
PeerKey DtlsSessions::KeyOf(const AddressPair& addresses) const {
  AddressPair local;
  local.remote = addresses.local;
  return PeerKeyOf(local, PeerKeyOf(addresses, options_.seed));
}

std::array<std::uint8_t, 16> DtlsSessions::CookieOf(std::size_t secret) const {
  const PeerKey key = KeyOf(*current_);
  std::array<std::uint8_t, sizeof(key) + sizeof(sockaddr_in6)> who{};
  std::memcpy(who.data(), &key, sizeof(key));
  std::memcpy(who.data() + sizeof(key), current_->remote.raw(), current_->remote.size());
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
  const auto& of = cookie_secrets_[secret];
  CHECK(HMAC(EVP_sha256(), of.data(), static_cast<int>(of.size()), who.data(), who.size(),
             digest.data(), nullptr) != nullptr);
  std::array<std::uint8_t, 16> cookie{};
  std::copy_n(digest.begin(), cookie.size(), cookie.begin());
  return cookie;
}

void DtlsSessions::OnDatagram(const AddressPair& addresses, Bytes datagram) {
  const PeerKey key = KeyOf(addresses);
  const auto found = by_key_.find(key);
  if (IsHello(datagram)) {
    const Bytes hello = datagram.subspan(kRecordHeaderBytes);
    const std::uint64_t hash = XXH3_64bits_withSeed(hello.data(), hello.size(), options_.seed);
    // One that comes again belongs to the session that it began. Any other one may begin the next:
    // a device that restarted uses its port again (RFC 6347 section 4.2.8).
    if (found == by_key_.end() || found->second->hello != hash) {
      return OnHello(addresses, datagram, key, hash);
    }
  }
  if (found == by_key_.end()) return metrics_->coaps.datagrams_without_session.Add();
  Drive(found->second, datagram);
}

void DtlsSessions::OnHello(const AddressPair& addresses, Bytes datagram, PeerKey key,
                           std::uint64_t hello) {
  static const std::unique_ptr<BIO_ADDR, decltype(&BIO_ADDR_free)> unused(BIO_ADDR_new(),
                                                                          &BIO_ADDR_free);
  if (listener_ == nullptr) listener_ = NewTls();
  Turn(addresses);
  incoming_ = datagram;
  const int verified = DTLSv1_listen(listener_.get(), unused.get());
  incoming_ = {};
  ERR_clear_error();
  if (verified <= 0) return;
  Tls tls = std::move(listener_);
  if (const auto before = by_key_.find(key); before != by_key_.end()) {
    Forget(before->second);  // the peer does not know of that one any more
  }
  if (!MakeRoomForHandshake()) return metrics_->coaps.handshakes_refused.Add();
  const Place place = handshakes_.emplace(handshakes_.end());
  place->number = next_number_++;
  place->key = key;
  place->hello = hello;
  place->addresses = addresses;
  place->tls = std::move(tls);
  place->heard_ns = now_ns_;
  by_key_[key] = place;
  by_number_[place->number] = place;
  if (handshakes_.size() == 1) timer_due_ns_ = now_ns_ + kTimerNs;
  Drive(place, {});
}

// Where there are too many the new ones wait, which the network makes them send again, unless there
// is one that does not get on: a burst of slow devices must not keep all of them from an end.
bool DtlsSessions::MakeRoomForHandshake() {
  if (handshakes_.size() < options_.handshakes_max) return true;
  if (now_ns_ - handshakes_.front().heard_ns < kHandshakeNsEnough) return false;
  Fail(handshakes_.begin(), "made room for another");
  return true;
}

// Before anything that OpenSSL does.
void DtlsSessions::Turn(const AddressPair& addresses) {
  current_ = &addresses;
  flight_.clear();
  ERR_clear_error();
}

void DtlsSessions::Drive(Place place, Bytes datagram) {
  if (place->records) return OnRecords(place, datagram);
  Turn(place->addresses);
  incoming_ = datagram;
  const bool completed = Handshake(place, datagram);
  incoming_ = {};
  if (!completed) return;
  Established(place);
  OnRecords(place, AfterHandshake(datagram));
}

bool DtlsSessions::Handshake(Place place, Bytes datagram) {
  if (!datagram.empty() && RecordType{datagram[0]} == RecordType::kApplicationData) {
    return false;  // will come again
  }
  if (++place->datagrams > kHandshakeDatagramsMax) {
    Fail(place, "too many datagrams");
    return false;
  }
  SSL* tls = place->tls.get();
  const int done = SSL_do_handshake(tls);
  if (done == 1) return true;
  if (SSL_get_error(tls, done) != SSL_ERROR_WANT_READ) {
    const std::string why =
        unknown_identity_.empty()
            ? FailureOf(tls)
            : "no key for identity '" + std::exchange(unknown_identity_, {}) + "'";
    Fail(place, why);
  } else if (SSL_get_state(tls) == TLS_ST_SR_CHANGE && HoldsFinished(datagram)) {
    RefuseKey(place);
  }
  return false;
}

// OpenSSL drops what another key has encrypted, and both sides would wait until they give up. Here
// that can hardly be anything but another key, and the peer is told (RFC 6347 section 4.1.2.7).
void DtlsSessions::RefuseKey(Place place) {
  constexpr std::array<std::uint8_t, 15> kAlert = {
      21, 254, 253, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, kFatal, kBadRecordMac};
  sink_->Send(place->addresses, kAlert);
  Fail(place, "another key than ours");
}

void DtlsSessions::Established(Place place) {
  metrics_->coaps.handshakes_succeeded.Add();
  place->listed_ns = now_ns_;
  place->names = NamesOf(place->tls.get());
  place->records.emplace(place->tls.get(), flight_);
  place->last_flight = flight_;
  place->tls.reset();
  if (established_.size() >= options_.sessions_max) {
    metrics_->coaps.sessions_evicted.Add();
    End(std::prev(established_.end()));
  }
  established_.splice(established_.begin(), handshakes_, place);
  metrics_->coaps.sessions.Set(established_.size());
}

void DtlsSessions::OnRecords(Place place, Bytes datagram) {
  while (const auto record = TakeRecord(&datagram)) {
    const auto content = place->records->Open(&ciphers_, *record, message_);
    if (!content) {
      if (record->epoch() != 0) metrics_->coaps.records_discarded.Add();
      continue;
    }
    switch (record->type) {
      case RecordType::kApplicationData:
        OnMessage(place, *content);
        break;
      case RecordType::kHandshake:  // its Finished once more: our last flight was lost
        if (!place->last_flight.empty()) sink_->Send(place->addresses, place->last_flight);
        break;
      case RecordType::kAlert:
        if (content->size() != 2) break;
        if ((*content)[1] == kCloseNotify) return End(place);
        if ((*content)[0] == kFatal) return Forget(place);
        break;
      default:
        break;
    }
  }
}

void DtlsSessions::OnMessage(Place place, Bytes message) {
  place->heard_ns = now_ns_;
  place->last_flight = {};
  if (now_ns_ - place->listed_ns >= kListedNs) {
    place->listed_ns = now_ns_;
    established_.splice(established_.begin(), established_, place);
  }
  AddressPair session = place->addresses;
  session.socket = place->number;
  on_message_(session, message, place->names);
}

void DtlsSessions::Send(const AddressPair& addresses, Bytes message) {
  const auto found = by_number_.find(addresses.socket);
  if (found == by_number_.end() || !found->second->records) {
    return metrics_->coap.datagrams_send_failed.Add();
  }
  SendRecord(found->second, RecordType::kApplicationData, message);
}

void DtlsSessions::SendRecord(Place place, RecordType type, Bytes content) {
  std::array<std::uint8_t, kAnswerBytesMax + kRecordExtraBytesMax> room;
  const auto datagram = place->records->Seal(&ciphers_, type, content, room);
  if (!datagram) return metrics_->coap.datagrams_send_failed.Add();
  sink_->Send(place->addresses, *datagram);
}

// Of a handshake.
void DtlsSessions::Fail(Place place, const std::string& why) {
  ERR_clear_error();
  metrics_->coaps.handshakes_failed.Add();
  LogFailure(place->addresses, why);
  Forget(place);
}

void DtlsSessions::LogFailure(const AddressPair& addresses, const std::string& why) {
  options_.refusals->Add(addresses.remote.ToString(), "coaps", why, now_ns_);
}

// Of an established session; the peer is told.
void DtlsSessions::End(Place place) {
  constexpr std::array<std::uint8_t, 2> kGoodbye = {kWarning, kCloseNotify};
  SendRecord(place, RecordType::kAlert, kGoodbye);
  Forget(place);
}

void DtlsSessions::EndAll() {
  while (!established_.empty()) End(established_.begin());
}

void DtlsSessions::Forget(Place place) {
  by_key_.erase(place->key);
  by_number_.erase(place->number);
  (place->records ? established_ : handshakes_).erase(place);
  metrics_->coaps.sessions.Set(established_.size());
}

void DtlsSessions::OnTime() {
  if (now_ns_ >= second_due_ns_) EachSecond();
  if (handshakes_.empty() || now_ns_ < timer_due_ns_) return;
  timer_due_ns_ = now_ns_ + kTimerNs;
  while (!handshakes_.empty() && now_ns_ - handshakes_.front().heard_ns >= kHandshakeNsMax) {
    Fail(handshakes_.begin(), "not finished in time");
  }
  for (Place next = handshakes_.begin(); next != handshakes_.end();) {
    const Place place = next++;
    Turn(place->addresses);
    if (DTLSv1_handle_timeout(place->tls.get()) < 0) Fail(place, "not answered in time");
  }
}

void DtlsSessions::EachSecond() {
  second_due_ns_ = now_ns_ + kNsPerSecond;
  while (!established_.empty() &&
         now_ns_ - established_.back().heard_ns >= options_.idle_seconds_max * kNsPerSecond) {
    End(std::prev(established_.end()));
  }
  if (now_ns_ >= secret_due_ns_) {
    secret_due_ns_ = now_ns_ + kSecretNs;
    cookie_secrets_[1] = cookie_secrets_[0];
    DrawSecret(&cookie_secrets_[0]);
  }
  const DtlsKeys::Replaced replaced = keys_.Reload();
  if (replaced.context) UseContext();
  if (!replaced.psks) return;
  for (Place next = established_.begin(); next != established_.end();) {
    const Place place = next++;
    if (place->names.empty() || !place->names.front().starts_with("psk:")) continue;
    const std::string identity = place->names.front().substr(4);
    const auto before = replaced.psks->find(identity);
    const auto now = keys_.psks().find(identity);
    const bool same = before != replaced.psks->end() && now != keys_.psks().end() &&
                      before->second == now->second;
    if (!same) End(place);
  }
}

}  // namespace collector
