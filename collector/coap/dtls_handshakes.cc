#include "collector/coap/dtls_handshakes.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "collector/coap/dtls_records.h"

namespace collector {
namespace {

constexpr std::int64_t kTimerNs = 250 * kNsPerMs;
constexpr std::int64_t kHandshakeNsMax = 30 * kNsPerSecond;
// One that is under way for so long makes room for another where there are too many: one datagram
// lost, which is sent again after a second, is forgiven.
constexpr std::int64_t kHandshakeNsEnough = 2 * kNsPerSecond;
// OpenSSL keeps what comes before its turn: this bounds how much that can be.
constexpr int kHandshakeDatagramsMax = 48;
constexpr std::int64_t kSecretNs = 60 * kNsPerSecond;
// Ours: what an IPv6 network must carry (1,280), without IP's and UDP's headers.
constexpr long kDatagramBytesMax = 1'232;

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

struct DtlsHandshakes::Callbacks {
  static DtlsHandshakes* Of(const SSL* tls) {
    return static_cast<DtlsHandshakes*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(tls)));
  }

  static unsigned int OnIdentity(SSL* tls, const char* identity, unsigned char* key,
                                 unsigned int key_bytes_max) {
    DtlsHandshakes* self = Of(tls);
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
    auto* self = static_cast<DtlsHandshakes*>(BIO_get_data(bio));
    const Bytes datagram(reinterpret_cast<const std::uint8_t*>(bytes),
                         static_cast<std::size_t>(count));
    self->sink_->Send(*self->current_, datagram);
    self->flight_.insert(self->flight_.end(), datagram.begin(), datagram.end());
    return count;
  }

  static int Read(BIO* bio, char* bytes, int room) {
    auto* self = static_cast<DtlsHandshakes*>(BIO_get_data(bio));
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
        return kDatagramBytesMax;
      default:
        return 0;
    }
  }
};

DtlsHandshakes::DtlsHandshakes(const DtlsOptions& options, OnHandshake on_handshake,
                               DatagramSink* sink, Metrics* metrics,
                               std::shared_ptr<spdlog::logger> log)
    : options_(options),
      on_handshake_(std::move(on_handshake)),
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

DtlsHandshakes::~DtlsHandshakes() = default;

Status DtlsHandshakes::Open() {
  if (Status loaded = keys_.Load(); !loaded.ok()) return loaded;
  UseContext();
  return Ok{};
}

// A new one of ours. Handshakes hold on to the one that they began with.
void DtlsHandshakes::UseContext() {
  listener_.reset();
  SSL_CTX* context = keys_.context();
  SSL_CTX_set_app_data(context, this);
  SSL_CTX_set_cookie_generate_cb(context, &Callbacks::MakeCookie);
  SSL_CTX_set_cookie_verify_cb(context, &Callbacks::CheckCookie);
  if (!options_.files.psk.empty()) {
    SSL_CTX_set_psk_server_callback(context, &Callbacks::OnIdentity);
  }
}

Tls DtlsHandshakes::NewTls() {
  Tls tls(SSL_new(keys_.context()));
  BIO* bio = BIO_new(method_.get());
  CHECK(tls != nullptr && bio != nullptr);
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(tls.get(), bio, bio);
  SSL_set_accept_state(tls.get());
  SSL_set_mtu(tls.get(), kDatagramBytesMax);
  return tls;
}

PeerKey DtlsHandshakes::KeyOf(const AddressPair& addresses) const {
  AddressPair local;
  local.remote = addresses.local;
  return PeerKeyOf(local, PeerKeyOf(addresses, options_.seed));
}

std::optional<std::uint64_t> DtlsHandshakes::HelloIn(Bytes datagram) const {
  constexpr std::uint8_t kClientHello = 1;
  // TakeRecord is not for this one: OpenSSL's says 1.0.
  if (datagram.size() <= kRecordHeaderBytes || RecordType{datagram[0]} != RecordType::kHandshake ||
      datagram[3] != 0 || datagram[4] != 0 || datagram[kRecordHeaderBytes] != kClientHello) {
    return {};
  }
  const Bytes hello = datagram.subspan(kRecordHeaderBytes);
  return XXH3_64bits_withSeed(hello.data(), hello.size(), options_.seed);
}

std::array<std::uint8_t, 16> DtlsHandshakes::CookieOf(std::size_t secret) const {
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

bool DtlsHandshakes::OnHello(const AddressPair& addresses, Bytes datagram, PeerKey key,
                             std::uint64_t hello) {
  static const std::unique_ptr<BIO_ADDR, decltype(&BIO_ADDR_free)> unused(BIO_ADDR_new(),
                                                                          &BIO_ADDR_free);
  // One that comes again belongs to the handshake that it began. Any other one may begin the next:
  // a device that restarted uses its port again (RFC 6347 section 4.2.8).
  const auto before = by_key_.find(key);
  if (before != by_key_.end() && before->second->hello == hello) {
    Drive(before->second, datagram);
    return false;
  }
  if (listener_ == nullptr) listener_ = NewTls();
  Turn(addresses, datagram);
  const int verified = DTLSv1_listen(listener_.get(), unused.get());
  ERR_clear_error();
  if (verified <= 0) return false;
  Tls tls = std::move(listener_);
  if (before != by_key_.end()) Forget(before->second);
  if (!MakeRoom()) {
    metrics_->coaps.handshakes_refused.Add();
    return false;
  }
  const Place place = all_.emplace(all_.end());
  place->key = key;
  place->hello = hello;
  place->addresses = addresses;
  place->tls = std::move(tls);
  place->began_ns = now_ns_;
  by_key_[key] = place;
  if (all_.size() == 1) timer_due_ns_ = now_ns_ + kTimerNs;
  Drive(place, {});
  return true;
}

bool DtlsHandshakes::OnDatagram(PeerKey key, Bytes datagram) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return false;
  // What comes early will come again.
  if (!datagram.empty() && RecordType{datagram[0]} != RecordType::kApplicationData) {
    Drive(found->second, datagram);
  }
  return true;
}

// Where there are too many the new ones wait, which the network makes them send again, unless there
// is one that does not get on: a burst of slow devices must not keep all of them from an end.
bool DtlsHandshakes::MakeRoom() {
  if (all_.size() < options_.handshakes_max) return true;
  if (now_ns_ - all_.front().began_ns < kHandshakeNsEnough) return false;
  Fail(all_.begin(), "made room for another");
  return true;
}

// Before anything that OpenSSL does.
void DtlsHandshakes::Turn(const AddressPair& addresses, Bytes datagram) {
  current_ = &addresses;
  incoming_ = datagram;
  flight_.clear();
  ERR_clear_error();
}

void DtlsHandshakes::Drive(Place place, Bytes datagram) {
  if (++place->datagrams > kHandshakeDatagramsMax) return Fail(place, "too many datagrams");
  Turn(place->addresses, datagram);
  SSL* tls = place->tls.get();
  const int done = SSL_do_handshake(tls);
  if (done == 1) return Complete(place, datagram);
  if (SSL_get_error(tls, done) != SSL_ERROR_WANT_READ) {
    const std::string why =
        unknown_identity_.empty()
            ? FailureOf(tls)
            : "no key for identity '" + std::exchange(unknown_identity_, {}) + "'";
    Fail(place, why);
  } else if (SSL_get_state(tls) == TLS_ST_SR_CHANGE && HoldsFinished(datagram)) {
    RefuseKey(place);
  }
}

// OpenSSL drops what another key has encrypted, and both sides would wait until they give up. Here
// that can hardly be anything but another key, and the peer is told (RFC 6347 section 4.1.2.7).
void DtlsHandshakes::RefuseKey(Place place) {
  constexpr std::array<std::uint8_t, 15> kBadRecordMac = {21, 254, 253, 0, 0, 0, 0, 0,
                                                          1,  0,   0,   0, 2, 2, 20};
  sink_->Send(place->addresses, kBadRecordMac);
  Fail(place, "another key than ours");
}

void DtlsHandshakes::Complete(Place place, Bytes datagram) {
  metrics_->coaps.handshakes_succeeded.Add();
  on_handshake_({.key = place->key,
                 .hello = place->hello,
                 .addresses = place->addresses,
                 .tls = place->tls.get(),
                 .last_flight = flight_,
                 .rest = AfterHandshake(datagram)});
  Forget(place);
}

void DtlsHandshakes::Fail(Place place, const std::string& why) {
  ERR_clear_error();
  metrics_->coaps.handshakes_failed.Add();
  options_.refusals->Add(place->addresses.remote.ToString(), "coaps", why, now_ns_);
  Forget(place);
}

void DtlsHandshakes::Forget(Place place) {
  by_key_.erase(place->key);
  all_.erase(place);
}

void DtlsHandshakes::OnTime() {
  if (now_ns_ >= secret_due_ns_) {
    secret_due_ns_ = now_ns_ + kSecretNs;
    cookie_secrets_[1] = cookie_secrets_[0];
    DrawSecret(&cookie_secrets_[0]);
  }
  if (all_.empty() || now_ns_ < timer_due_ns_) return;
  timer_due_ns_ = now_ns_ + kTimerNs;
  while (!all_.empty() && now_ns_ - all_.front().began_ns >= kHandshakeNsMax) {
    Fail(all_.begin(), "not finished in time");
  }
  for (Place next = all_.begin(); next != all_.end();) {
    const Place place = next++;
    Turn(place->addresses, {});
    if (DTLSv1_handle_timeout(place->tls.get()) < 0) Fail(place, "not answered in time");
  }
}

std::optional<PskTable> DtlsHandshakes::ReloadKeys() {
  DtlsKeys::Replaced replaced = keys_.Reload();
  if (replaced.context) UseContext();
  return std::move(replaced.psks);
}

}  // namespace collector
