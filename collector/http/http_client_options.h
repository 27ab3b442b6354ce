// How an HttpClient reaches its servers: credentials, certificates, time-outs. Values only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace collector {

enum class TlsVerification : std::uint8_t {
  kFull,         // the certificate and the host's name
  kCertificate,  // the certificate only
  kNone,
};

// At most one of user, api_key and bearer is given. Each secret is either a value (from the
// environment) or a file, which is read again when it changes; never both.
struct HttpClientOptions {
  std::string user = {};
  std::string password = {};
  std::string password_file = {};
  std::string api_key = {};  // "id:key", or its base64
  std::string api_key_file = {};
  std::string bearer = {};
  std::string bearer_file = {};

  std::string ca_file = {};  // PEM; empty: the system's
  std::string certificate_file = {};
  std::string key_file = {};
  TlsVerification verification = TlsVerification::kFull;

  std::int64_t connect_timeout_ms = 3'000;
  bool compress = true;     // gzip for bodies above 1 KB
  int connections_max = 8;  // beyond it requests wait for a connection, their time running
  std::size_t response_bytes_max = 64 << 20;  // uncompressed; beyond it an error
};

}  // namespace collector
