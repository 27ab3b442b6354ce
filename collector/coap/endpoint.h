// The CoAP endpoint over UDP: its sockets, DTLS where it is wanted, and the message layer between
// them and the handler.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "collector/coap/dtls_sessions.h"
#include "collector/coap/message_layer.h"
#include "collector/coap/udp_socket.h"

namespace collector {

struct EndpointOptions {
  std::size_t datagram_bytes_max = 4'608;
  MessageLayerOptions message_layer;
  std::optional<DtlsOptions> dtls;  // none: plain CoAP
};

// Lives on the loop thread. Poller, handler's state and metrics outlive it.
class CoapEndpoint : public DatagramSink {
 public:
  static Result<std::unique_ptr<CoapEndpoint>> Create(const EndpointOptions& options,
                                                      SocketSet sockets, Handler handler,
                                                      Poller* poller, Metrics* metrics,
                                                      std::shared_ptr<spdlog::logger> log);
  ~CoapEndpoint() override;
  CoapEndpoint(const CoapEndpoint&) = delete;
  CoapEndpoint& operator=(const CoapEndpoint&) = delete;

  // "127.0.0.1:5683,[::1]:5683", with the ports that were bound.
  [[nodiscard]] std::string Addresses() const;
  [[nodiscard]] int receive_buffer_bytes() const;  // the smallest that the system granted

  // The time, once a turn, and when the next turn is wanted at the latest.
  void SetTime(Instant now);
  [[nodiscard]] std::int64_t due_ns() const;
  void Flush();  // sends the answers of this turn
  [[nodiscard]] std::size_t pending() const { return layer_.pending(); }
  [[nodiscard]] std::size_t remembered() const { return layer_.remembered(); }

  void Send(const AddressPair& addresses, Bytes bytes) override;

 private:
  CoapEndpoint(const EndpointOptions& options, Handler handler, Poller* poller, Metrics* metrics,
               std::shared_ptr<spdlog::logger> log);
  std::unique_ptr<DtlsSessions> MakeDtls(const EndpointOptions& options,
                                         std::shared_ptr<spdlog::logger> log);
  void OnReadable(UdpSocket* socket);
  void OnDatagram(const ReceivedDatagram& datagram);

  Poller* poller_;
  Metrics* metrics_;
  std::vector<std::unique_ptr<UdpSocket>> sockets_;
  std::unique_ptr<DtlsSessions> dtls_;  // none: plain CoAP
  MessageLayer layer_;
  UdpSocket* paused_ = nullptr;  // sends more in this turn than fit into one call
  std::int64_t drops_read_ns_ = 0;  // once a second: it is a system call
  std::uint64_t drops_ = 0;
};

}  // namespace collector
