#include "collector/coap/endpoint.h"

#include <algorithm>

namespace collector {
namespace {

// Receives a turn: so many that under load a commit gets thousands of events, few enough that
// commits and signals are not starved.
constexpr int kReceivesPerTurnMax = 64;

}  // namespace

Result<std::unique_ptr<CoapEndpoint>> CoapEndpoint::Create(const EndpointOptions& options,
                                                           SocketSet sockets, Handler handler,
                                                           Poller* poller, Metrics* metrics) {
  std::unique_ptr<CoapEndpoint> endpoint(
      new CoapEndpoint(options, std::move(handler), poller, metrics));
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
                           Metrics* metrics)
    : poller_(poller),
      metrics_(metrics),
      layer_(options.message_layer, std::move(handler), this, metrics) {}

CoapEndpoint::~CoapEndpoint() {
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
  for (int i = 0; i < kReceivesPerTurnMax; ++i) {
    const auto datagrams = socket->Receive();
    for (const ReceivedDatagram& datagram : datagrams) {
      layer_.OnDatagram(datagram.addresses, datagram.bytes, datagram.cut);
    }
    if (datagrams.size() < UdpSocket::kBatch) break;
  }
}

void CoapEndpoint::Send(const AddressPair& addresses, Bytes bytes) {
  sockets_[addresses.socket]->Send(addresses, bytes);
}

void CoapEndpoint::Flush() {
  layer_.OnTime();
  for (const auto& socket : sockets_) {
    if (const std::size_t failed = socket->Flush()) {
      metrics_->coap.datagrams_send_failed.Add(failed);
    }
  }
  metrics_->coap.exchanges_pending.Set(layer_.pending());
  metrics_->coap.exchanges_remembered.Set(layer_.remembered());
}

void CoapEndpoint::SetTime(Instant now) {
  layer_.SetTime(now);
  if (now.monotonic_ns - drops_read_ns_ < kNsPerSecond) return;
  drops_read_ns_ = now.monotonic_ns;
  std::uint64_t dropped = 0;
  for (const auto& socket : sockets_) dropped += socket->dropped();
  metrics_->coap.datagrams_dropped_kernel.Set(dropped);
}

}  // namespace collector
