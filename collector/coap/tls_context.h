// How CoAPs is spoken: versions and ciphers, our certificate, whose clients' we take, and what
// theirs say.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "collector/base/result.h"

struct ssl_ctx_st;
struct ssl_st;

namespace collector {

struct CertificateFiles {     // all PEM
  std::string certificate{};  // ours, and those between it and its root; empty: no certificates
  std::string key{};
  std::string client_ca{};   // empty: clients need no certificate
  std::string revocation{};  // lists of the authorities in client_ca; empty: none is asked
};

struct TlsFree {
  void operator()(ssl_ctx_st* context) const;
  void operator()(ssl_st* tls) const;
};
using TlsContext = std::unique_ptr<ssl_ctx_st, TlsFree>;
using Tls = std::unique_ptr<ssl_st, TlsFree>;

// A server's, for DTLS 1.2. Errors are kConfig, with the file's name.
Result<TlsContext> CreateTlsContext(const CertificateFiles& files);

// Who the peer has proved to be: "psk:identity", or of its certificate "cn:name", "dns:name" and
// "uri:name". Empty: nobody.
std::vector<std::string> NamesOf(ssl_st* tls);

// Why a handshake did not succeed; empties OpenSSL's queue of errors.
std::string FailureOf(ssl_st* tls);

}  // namespace collector
