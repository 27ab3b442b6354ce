// DTLS as a client speaks it: the keys and certificates of coaps://, and why one was not let in.
#pragma once

#include <memory>
#include <string>

#include "collector/base/result.h"

struct ssl_ctx_st;
struct ssl_st;

namespace collector::client {

// Either an identity and its key, or certificates.
struct Credentials {
  std::string psk_identity{};      // empty: certificates
  std::string psk_key{};           // in bytes
  std::string certificate_file{};  // ours and those between it and its root (PEM); empty: none
  std::string key_file{};          // its key (PEM)
  std::string ca_file{};           // authorities of the collector's (PEM); empty: the system's
};

class TlsClient {
 public:
  // Errors are kInvalid, with the file's name.
  static Result<std::shared_ptr<const TlsClient>> Create(const Credentials& credentials);
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  [[nodiscard]] const Credentials& credentials() const { return credentials_; }

  // For a session with `host`, a name or an address, whose certificate must be for it.
  [[nodiscard]] ssl_st* NewSession(const std::string& host) const;

  // The same of certificates for a session that is another library's, before it has an answer.
  void UseCertificates(ssl_st* tls, const std::string& host) const;

 private:
  explicit TlsClient(const Credentials& credentials);
  Status Load();

  const Credentials credentials_;
  ssl_ctx_st* context_;
};

// Why a handshake did not succeed, in words for people; empty: nobody said.
struct Refusal {
  std::string identity{};  // that we gave
  std::string why{};
};

// Keeps *refusal up to date, which outlives the session.
void WatchAlerts(ssl_st* tls, Refusal* refusal);

}  // namespace collector::client
