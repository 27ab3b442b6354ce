// The certificates of CoAPs: ours, whose clients' we take, and what theirs say. The only file of
// coap/ with OpenSSL's TLS.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "collector/base/result.h"

struct ssl_st;

namespace collector {

struct CertificateFiles {     // all PEM
  std::string certificate{};  // ours, and those between it and its root; empty: no certificates
  std::string key{};
  std::string client_ca{};   // empty: clients need no certificate
  std::string revocation{};  // lists of the authorities in client_ca; empty: none is asked
};

// What was in those files, checked. Does not change: other files make another one.
class Certificates {
 public:
  // Errors are kConfig, with the file's name.
  static Result<std::unique_ptr<Certificates>> Load(const CertificateFiles& files);
  ~Certificates();
  Certificates(const Certificates&) = delete;
  Certificates& operator=(const Certificates&) = delete;

  // For a handshake that begins.
  [[nodiscard]] bool Apply(ssl_st* tls) const;

 private:
  struct Loaded;
  explicit Certificates(std::unique_ptr<Loaded> loaded);

  std::unique_ptr<Loaded> loaded_;
};

// Who the peer has proved to be: "psk:identity", or of its certificate "cn:name", "dns:name" and
// "uri:name". Empty: nobody.
std::vector<std::string> NamesOf(ssl_st* tls);

// Why a handshake did not succeed.
std::string FailureOf(ssl_st* tls);

}  // namespace collector
