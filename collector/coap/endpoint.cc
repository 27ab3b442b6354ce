#include "collector/coap/endpoint.h"

#include <algorithm>

namespace collector {
namespace {

// Receives a turn: so many that under load a commit gets thousands of events, few enough that
// commits and signals are not starved.
constexpr int kReceivesPerTurnMax = 64;
// And of DTLS, where a handshake may cost as much as a hundred events.
constexpr std::int64_t kDtlsNsPerTurnMax = 20 * kNsPerMs;
// So far ahead of its turn a datagram is looked at for the memory that it will need.
constexpr std::size_t kExpectedAhead = 4;

MessageLayerOptions LayerOptions(const EndpointOptions& options) {
  MessageLayerOptions layer = options.message_layer;
  layer.peers_verified = options.dtls.has_value();
  return layer;
}

DatagramSink* SinkOf(DtlsSessions* dtls, DatagramSink* sockets) {
  return dtls != nullptr ? dtls : sockets;
}

}  // namespace

Result<std::unique_ptr<CoapEndpoint>> CoapEndpoint::Create(const EndpointOptions& options,
                                                           SocketSet sockets, Handler handler,
                                                           Poller* poller, Metrics* metrics,
                                                           std::shared_ptr<spdlog::logger> log) {
  std::unique_ptr<CoapEndpoint> endpoint(
      new CoapEndpoint(options, std::move(handler), poller, metrics, std::move(log)));
  if (endpoint->dtls_) {
    if (Status opened = endpoint->dtls_->Open(); !opened.ok()) return opened.error();
  }
  for (BoundSocket& bound : sockets) {
    const auto index = static_cast<std::uint32_t>(endpoint->sockets_.size());
    endpoint->sockets_.push_back(
        std::make_unique<UdpSocket>(std::move(bound), index, options.datagram_bytes_max));
    UdpSocket* socket = endpoint->sockets_.back().get();
    const Status watched =
        poller->Watch(socket->fd(), [raw = endpoint.get(), socket] { raw->OnReadable(socket); });
    if (!watched.ok()) return watched.error();
  }
  return endpoint;
}

CoapEndpoint::CoapEndpoint(const EndpointOptions& options, Handler handler, Poller* poller,
                           Metrics* metrics, std::shared_ptr<spdlog::logger> log)
    : poller_(poller),
      metrics_(metrics),
      dtls_(MakeDtls(options, std::move(log))),
      layer_(LayerOptions(options), std::move(handler), SinkOf(dtls_.get(), this), metrics) {}

std::unique_ptr<DtlsSessions> CoapEndpoint::MakeDtls(const EndpointOptions& options,
                                                     std::shared_ptr<spdlog::logger> log) {
  if (!options.dtls) return nullptr;
  return std::make_unique<DtlsSessions>(
      *options.dtls,
      [this](const AddressPair& session, Bytes message, const std::vector<std::string>& names) {
        layer_.OnDatagram(session, message, false, &names);
      },
      this, metrics_, std::move(log));
}

CoapEndpoint::~CoapEndpoint() {
  if (dtls_) dtls_->EndAll();
  for (const auto& socket : sockets_) socket->Flush();
  for (const auto& socket : sockets_) poller_->Forget(socket->fd());
}

std::string CoapEndpoint::Addresses() const {
  std::string text;
  for (const auto& socket : sockets_) {
    if (!text.empty()) text += ",";
    text += socket->address().ToString();
  }
  return text;
}

int CoapEndpoint::receive_buffer_bytes() const {
  int smallest = sockets_.front()->receive_buffer_bytes();
  for (const auto& socket : sockets_) smallest = std::min(smallest, socket->receive_buffer_bytes());
  return smallest;
}

void CoapEndpoint::OnReadable(UdpSocket* socket) {
  const std::int64_t until_ns = dtls_ ? ReadClock().monotonic_ns + kDtlsNsPerTurnMax : kNever;
  for (int i = 0; i < kReceivesPerTurnMax; ++i) {
    const auto datagrams = socket->Receive();
    for (std::size_t j = 0; j < datagrams.size(); ++j) {
      if (!dtls_ && j + kExpectedAhead < datagrams.size()) {
        const ReceivedDatagram& soon = datagrams[j + kExpectedAhead];
        layer_.Expect(soon.addresses, soon.bytes);
      }
      OnDatagram(datagrams[j]);
    }
    if (datagrams.size() < UdpSocket::kBatch) break;
    if (dtls_ && ReadClock().monotonic_ns > until_ns) break;
  }
}

void CoapEndpoint::OnDatagram(const ReceivedDatagram& datagram) {
  if (dtls_) return dtls_->OnDatagram(datagram.addresses, datagram.bytes);
  layer_.OnDatagram(datagram.addresses, datagram.bytes, datagram.cut);
}

void CoapEndpoint::Send(const AddressPair& addresses, Bytes bytes) {
  UdpSocket* const socket = sockets_[addresses.socket].get();
  if (socket->Send(addresses, bytes) && paused_ == nullptr) {
    paused_ = socket;
    poller_->Pause(socket->fd());
  }
}

std::int64_t CoapEndpoint::due_ns() const {
  return dtls_ ? std::min(layer_.due_ns(), dtls_->due_ns()) : layer_.due_ns();
}

void CoapEndpoint::Flush() {
  layer_.OnTime();
  if (dtls_) dtls_->OnTime();
  for (const auto& socket : sockets_) {
    if (const std::size_t failed = socket->Flush()) {
      metrics_->coap.datagrams_send_failed.Add(failed);
    }
  }
  if (paused_) poller_->Resume(paused_->fd());
  paused_ = nullptr;
}

void CoapEndpoint::SetTime(Instant now) {
  layer_.SetTime(now);
  if (dtls_) dtls_->SetTime(now);
  if (now.monotonic_ns - drops_read_ns_ < kNsPerSecond) return;
  drops_read_ns_ = now.monotonic_ns;
  std::uint64_t dropped = 0;
  for (const auto& socket : sockets_) dropped += socket->dropped();
  metrics_->coap.datagrams_dropped_kernel.Add(dropped - std::exchange(drops_, dropped));
}

}  // namespace collector
