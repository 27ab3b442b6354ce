// Devices that speak DTLS: a session each, over the sockets of others.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <vector>

#include "client/load/devices.h"
#include "client/tls.h"
#include "collector/base/clock.h"

struct bio_method_st;

namespace collector::client {

struct Handshakes {
  std::uint64_t count = 0;
  std::int64_t ns = 0;  // that all of them took
};

class DtlsDevices : public Devices {
 public:
  // `sockets` carries what is encrypted.
  DtlsDevices(std::unique_ptr<Devices> sockets, std::shared_ptr<const TlsClient> tls,
              std::string host, std::uint32_t devices);
  ~DtlsDevices() override;
  DtlsDevices(const DtlsDevices&) = delete;
  DtlsDevices& operator=(const DtlsDevices&) = delete;

  // Has every device begin its session, some at a time, and anew where it comes to nothing. Errors:
  // one was refused, or none came to an end for half a minute, or `interrupted`.
  Result<Handshakes> Connect(bool (*interrupted)());

  // A device without a session begins one, and what it was to send is as if it were lost.
  void Queue(std::uint32_t device, std::span<const std::uint8_t> bytes) override;
  void QueueEmpty(std::uint32_t device, EmptyMessage message) override { Queue(device, message); }
  void Flush() override;
  std::span<const Arrival> Receive() override;
  void Wait(std::int64_t ns) override;
  [[nodiscard]] std::uint64_t send_errors() const override { return sockets_->send_errors(); }
  [[nodiscard]] std::uint64_t drops() const override { return sockets_->drops(); }

 private:
  struct Session;
  struct Callbacks;  // what OpenSSL calls

  void Begin(std::uint32_t device);
  void BeginEnded();
  void Handshake(Session* session);
  void Take(const Arrival& arrival);
  void Retransmit();

  std::unique_ptr<Devices> sockets_;
  std::shared_ptr<const TlsClient> tls_;
  const std::string host_;
  std::unique_ptr<bio_method_st, void (*)(bio_method_st*)> method_;
  std::vector<std::unique_ptr<Session>> sessions_;  // by device
  std::list<Session*> under_way_;
  std::uint64_t established_ = 0;
  std::int64_t progress_ns_ = 0;  // when one last ended
  std::int64_t retransmit_ns_ = 0;
  Refusal refusal_;

  std::span<const std::uint8_t> incoming_;
  std::uint32_t current_ = 0;  // the device that OpenSSL is at
  std::array<std::vector<std::uint8_t>, kBatchMax> sent_;
  std::size_t queued_ = 0;
  std::vector<std::vector<std::uint8_t>> received_;
  std::vector<Arrival> arrivals_;
};

}  // namespace collector::client
