#include "client/load/dtls_devices.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstring>

#include "collector/base/check.h"

namespace collector::client {
namespace {

constexpr std::size_t kUnderWayMax = 256;  // handshakes at a time
constexpr std::int64_t kPatienceNs = 30 * kNsPerSecond;
// A handshake that takes longer is begun anew: the other side may know of it no more.
constexpr std::int64_t kHandshakeNsMax = 10 * kNsPerSecond;
constexpr std::int64_t kRetransmitNs = 250 * kNsPerMs;
constexpr long kFlightBytesMax = 1'232;
constexpr std::size_t kMessageBytesMax = 1'500;

}  // namespace

struct DtlsDevices::Session {
  std::uint32_t device = 0;
  std::unique_ptr<SSL, decltype(&SSL_free)> tls{nullptr, &SSL_free};
  enum class State { kUnderWay, kEstablished, kEnded } state = State::kUnderWay;
  std::int64_t began_ns = 0;
  std::list<Session*>::iterator place{};  // in under_way_, while it is
};

struct DtlsDevices::Callbacks {
  static int Write(BIO* bio, const char* bytes, int count) {
    auto* self = static_cast<DtlsDevices*>(BIO_get_data(bio));
    if (self->queued_ == kBatchMax) self->Flush();
    std::vector<std::uint8_t>& datagram = self->sent_[self->queued_++];
    datagram.assign(bytes, bytes + count);
    self->sockets_->Queue(self->current_, datagram);
    return count;
  }

  static int Read(BIO* bio, char* bytes, int room) {
    auto* self = static_cast<DtlsDevices*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (self->incoming_.empty()) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const std::size_t count = std::min(self->incoming_.size(), static_cast<std::size_t>(room));
    std::memcpy(bytes, self->incoming_.data(), count);
    self->incoming_ = {};
    return static_cast<int>(count);
  }

  static long Control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }
};

DtlsDevices::DtlsDevices(std::unique_ptr<Devices> sockets, std::shared_ptr<const TlsClient> tls,
                         std::string host, std::uint32_t devices)
    : sockets_(std::move(sockets)),
      tls_(std::move(tls)),
      host_(std::move(host)),
      method_(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "device"), &BIO_meth_free),
      sessions_(devices) {
  refusal_.identity = tls_->credentials().psk_identity;
  BIO_meth_set_write(method_.get(), &Callbacks::Write);
  BIO_meth_set_read(method_.get(), &Callbacks::Read);
  BIO_meth_set_ctrl(method_.get(), &Callbacks::Control);
}

DtlsDevices::~DtlsDevices() {
  for (const auto& session : sessions_) {
    if (session == nullptr || session->state != Session::State::kEstablished) continue;
    current_ = session->device;
    SSL_shutdown(session->tls.get());
  }
  Flush();
}

Result<Handshakes> DtlsDevices::Connect(bool (*interrupted)()) {
  const std::int64_t began_ns = ReadClock().monotonic_ns;
  progress_ns_ = began_ns;
  std::uint32_t next = 0;
  while (established_ < sessions_.size()) {
    while (next < sessions_.size() && under_way_.size() < kUnderWayMax) Begin(next++);
    if (next == sessions_.size() && under_way_.empty()) BeginEnded();
    Flush();
    Receive();
    if (!refusal_.why.empty()) {
      return Error{ErrorCode::kUnavailable, "no DTLS session with " + host_ + ": " + refusal_.why};
    }
    if (interrupted()) return Error{ErrorCode::kUnavailable, "interrupted"};
    if (ReadClock().monotonic_ns - progress_ns_ > kPatienceNs) {
      return Error{ErrorCode::kUnavailable, "no DTLS session with " + host_ + ": no answer, " +
                                                std::to_string(established_) + " of " +
                                                std::to_string(sessions_.size()) + " are there"};
    }
  }
  return Handshakes{.count = established_, .ns = ReadClock().monotonic_ns - began_ns};
}

void DtlsDevices::BeginEnded() {
  for (std::uint32_t device = 0; device < sessions_.size(); ++device) {
    if (under_way_.size() == kUnderWayMax) return;
    if (sessions_[device]->state == Session::State::kEnded) Begin(device);
  }
}

void DtlsDevices::Begin(std::uint32_t device) {
  std::unique_ptr<Session>& session = sessions_[device];
  session = std::make_unique<Session>();
  session->device = device;
  session->began_ns = ReadClock().monotonic_ns;
  session->tls.reset(tls_->NewSession(host_));
  SSL* tls = session->tls.get();
  BIO* bio = BIO_new(method_.get());
  CHECK(bio != nullptr);
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(tls, bio, bio);
  SSL_set_connect_state(tls);
  SSL_set_mtu(tls, kFlightBytesMax);
  WatchAlerts(tls, &refusal_);
  session->place = under_way_.insert(under_way_.end(), session.get());
  Handshake(session.get());
}

void DtlsDevices::Handshake(Session* session) {
  current_ = session->device;
  SSL* tls = session->tls.get();
  ERR_clear_error();
  const int done = SSL_do_handshake(tls);
  if (done != 1 && SSL_get_error(tls, done) == SSL_ERROR_WANT_READ) return;
  under_way_.erase(session->place);
  progress_ns_ = ReadClock().monotonic_ns;
  session->state = done == 1 ? Session::State::kEstablished : Session::State::kEnded;
  if (done == 1) ++established_;
}

void DtlsDevices::Queue(std::uint32_t device, std::span<const std::uint8_t> bytes) {
  Session* session = sessions_[device].get();
  if (session->state == Session::State::kEnded) return Begin(device);
  if (session->state != Session::State::kEstablished) return;
  current_ = device;
  SSL_write(session->tls.get(), bytes.data(), static_cast<int>(bytes.size()));
}

void DtlsDevices::Flush() {
  sockets_->Flush();
  queued_ = 0;
}

std::span<const Arrival> DtlsDevices::Receive() {
  arrivals_.clear();
  for (const Arrival& arrival : sockets_->Receive()) Take(arrival);
  Retransmit();
  return arrivals_;
}

void DtlsDevices::Take(const Arrival& arrival) {
  if (arrival.device >= sessions_.size() || sessions_[arrival.device] == nullptr) return;
  Session* session = sessions_[arrival.device].get();
  incoming_ = arrival.bytes;
  if (session->state == Session::State::kUnderWay) Handshake(session);
  if (session->state != Session::State::kEstablished) {
    incoming_ = {};
    return;
  }
  current_ = arrival.device;
  for (;;) {
    if (received_.size() == arrivals_.size()) received_.emplace_back(kMessageBytesMax);
    std::vector<std::uint8_t>& message = received_[arrivals_.size()];
    const int count = SSL_read(session->tls.get(), message.data(), kMessageBytesMax);
    if (count <= 0) {
      if (SSL_get_error(session->tls.get(), count) == SSL_ERROR_WANT_READ) break;
      session->state = Session::State::kEnded;
      --established_;
      break;
    }
    arrivals_.push_back({arrival.device, {message.data(), static_cast<std::size_t>(count)}});
  }
  incoming_ = {};
  ERR_clear_error();
}

void DtlsDevices::Retransmit() {
  const std::int64_t now_ns = ReadClock().monotonic_ns;
  if (under_way_.empty() || now_ns < retransmit_ns_) return;
  retransmit_ns_ = now_ns + kRetransmitNs;
  for (auto next = under_way_.begin(); next != under_way_.end();) {
    Session* session = *next++;
    if (now_ns - session->began_ns > kHandshakeNsMax) {
      under_way_.erase(session->place);
      session->state = Session::State::kEnded;
      continue;
    }
    current_ = session->device;
    DTLSv1_handle_timeout(session->tls.get());
  }
}

void DtlsDevices::Wait(std::int64_t ns) { sockets_->Wait(ns); }

}  // namespace collector::client
