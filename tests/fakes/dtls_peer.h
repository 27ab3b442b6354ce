// CoAPs without sockets: the collector's sessions, with a clock of the test's own, and peers whose
// datagrams the test carries, drops or changes.
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/null_sink.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/tls.h"
#include "collector/coap/dtls_sessions.h"
#include "tests/fakes/wire.h"

namespace collector {

inline const std::string kDtlsKey = "sixteen bytes ok";

class DtlsCore : public DatagramSink {
 public:
  struct Datagram {
    AddressPair addresses;
    std::string bytes;
    std::vector<std::string> names{};  // of one that was decrypted
  };

  explicit DtlsCore(DtlsOptions options = {}) : file_(WriteKeys()) {
    options.files.psk = file_;
    options.refusals = &refusals_;
    options.seed = 1;
    const auto take = [this](const AddressPair& from, Bytes message, const auto& names) {
      received.push_back({from, {message.begin(), message.end()}, names});
    };
    sessions = std::make_unique<DtlsSessions>(options, take, this, &metrics, log_);
    CHECK(sessions->Open().ok());
    Pass(1);
  }
  ~DtlsCore() override { std::filesystem::remove(file_); }
  DtlsCore(const DtlsCore&) = delete;
  DtlsCore& operator=(const DtlsCore&) = delete;

  void Pass(std::int64_t seconds) {
    now_ns_ += seconds * kNsPerSecond;
    sessions->SetTime({now_ns_, now_ns_});
    sessions->OnTime();
  }
  void Receive(const AddressPair& from, std::string_view bytes) {
    sessions->OnDatagram(from, {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
  }
  void Send(const AddressPair& to, Bytes bytes) override {
    sent.push_back({to, {bytes.begin(), bytes.end()}});
  }

  Metrics metrics;
  std::vector<Datagram> sent;      // encrypted, to the network
  std::vector<Datagram> received;  // decrypted, to the message layer
  std::unique_ptr<DtlsSessions> sessions;

 private:
  static std::string WriteKeys() {
    static int count = 0;
    std::string path = (std::filesystem::temp_directory_path() /
                        ("dtls-" + std::to_string(getpid()) + "-" + std::to_string(count++)))
                           .string();
    std::ofstream(path) << "probe:c2l4dGVlbiBieXRlcyBvaw==\n";
    return path;
  }

  const std::shared_ptr<spdlog::logger> log_ =
      std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::null_sink_mt>());
  RefusalLog refusals_{log_};
  std::string file_;
  std::int64_t now_ns_ = 0;
};

class DtlsPeer {
 public:
  DtlsPeer(DtlsCore* core, AddressPair addresses, const std::string& identity = "probe",
           const std::string& key = kDtlsKey)
      : core_(core), addresses_(std::move(addresses)) {
    auto client = client::TlsClient::Create({.psk_identity = identity, .psk_key = key});
    CHECK(client.ok());
    client_ = std::move(client).value();
    refusal_.identity = identity;
    Restart();
  }

  // Forgets its session, as a device that lost its power, and keeps its address.
  void Restart() {
    tls_.reset(client_->NewSession("collector"));
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(in_, -1);
    BIO_set_mem_eof_return(out_, -1);
    SSL_set_bio(tls_.get(), in_, out_);
    SSL_set_connect_state(tls_.get());
    SSL_set_mtu(tls_.get(), 1'232);
    client::WatchAlerts(tls_.get(), &refusal_);
  }

  // What it would send next of its handshake, or as an application's message.
  std::string NextFlight() {
    ERR_clear_error();
    SSL_do_handshake(tls_.get());
    return Taken();
  }
  std::string Encrypted(const std::string& message) {
    SSL_write(tls_.get(), message.data(), static_cast<int>(message.size()));
    return Taken();
  }
  std::string Goodbye() {
    SSL_shutdown(tls_.get());
    return Taken();
  }
  // Takes what was sent to it; what that says, decrypted.
  std::string Take() {
    std::string message;
    for (DtlsCore::Datagram& datagram : std::exchange(core_->sent, {})) {
      if (datagram.addresses.remote.ToString() != addresses_.remote.ToString()) {
        core_->sent.push_back(std::move(datagram));
        continue;
      }
      BIO_write(in_, datagram.bytes.data(), static_cast<int>(datagram.bytes.size()));
      std::string buffer(2'048, '\0');
      ERR_clear_error();
      if (!SSL_is_init_finished(tls_.get())) SSL_do_handshake(tls_.get());
      const int count = SSL_read(tls_.get(), buffer.data(), static_cast<int>(buffer.size()));
      if (count > 0) message.append(buffer, 0, static_cast<std::size_t>(count));
      ERR_clear_error();
    }
    return message;
  }

  // To the handshake's end, or until nothing comes any more.
  bool Connect() {
    for (int i = 0; i < 5 && !connected(); ++i) {
      core_->Receive(addresses_, NextFlight());
      Take();
    }
    return connected();
  }
  [[nodiscard]] bool connected() const { return SSL_is_init_finished(tls_.get()) == 1; }
  [[nodiscard]] bool told_goodbye() const {
    return (SSL_get_shutdown(tls_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
  }
  [[nodiscard]] const std::string& refusal() const { return refusal_.why; }
  [[nodiscard]] const AddressPair& addresses() const { return addresses_; }
  [[nodiscard]] SSL* tls() { return tls_.get(); }  // until it restarts

 private:
  struct Free {
    void operator()(SSL* tls) const { SSL_free(tls); }
  };

  std::string Taken() {
    std::string bytes(BIO_ctrl_pending(out_), '\0');
    BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
  }

  DtlsCore* core_;
  AddressPair addresses_;
  std::shared_ptr<const client::TlsClient> client_;
  client::Refusal refusal_;
  std::unique_ptr<SSL, Free> tls_;
  BIO* in_ = nullptr;
  BIO* out_ = nullptr;
};

}  // namespace collector
