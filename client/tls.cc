#include "client/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "collector/base/check.h"

namespace collector::client {
namespace {

// As the collector's; of its reasons, that for CCM8's level, too.
constexpr const char* kCiphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-CCM8:"
    "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305:"
    "PSK-AES128-GCM-SHA256:PSK-CHACHA20-POLY1305:PSK-AES128-CCM8:@SECLEVEL=0";
constexpr int kCertificateLevel = 2;

unsigned int GiveKey(SSL* tls, const char* /*hint*/, char* identity, unsigned int identity_bytes,
                     unsigned char* key, unsigned int key_bytes) {
  const auto* of = static_cast<const Credentials*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(tls)));
  if (of->psk_identity.size() >= identity_bytes || of->psk_key.size() > key_bytes) return 0;
  std::memcpy(identity, of->psk_identity.c_str(), of->psk_identity.size() + 1);
  std::memcpy(key, of->psk_key.data(), of->psk_key.size());
  return static_cast<unsigned int>(of->psk_key.size());
}

Error CannotUse(const std::string& file, const std::string& what) {
  ERR_clear_error();
  return {ErrorCode::kInvalid, file + ": " + what};
}

// OpenSSL's own errors about files are for programmers.
Status CheckReadable(const std::string& file) {
  errno = 0;
  std::FILE* opened = std::fopen(file.c_str(), "re");
  if (opened == nullptr) return CannotUse(file, std::strerror(errno));
  std::fclose(opened);
  return Ok{};
}

// Instead of OpenSSL's own, which asks whoever sits at the terminal.
int NoPassphrase(char*, int, int, void*) { return -1; }

std::string WhyOf(const Refusal& refusal, int alert, const SSL* tls, bool ours) {
  const long verified = SSL_get_verify_result(tls);
  if (ours && verified != X509_V_OK) {
    return std::string("its certificate cannot be trusted: ") +
           X509_verify_cert_error_string(verified);
  }
  const bool psk = !refusal.identity.empty();
  switch (alert) {
    case SSL_AD_UNKNOWN_PSK_IDENTITY:
      return "it has no key for the identity '" + refusal.identity + "'";
    case SSL_AD_BAD_RECORD_MAC:
    case SSL_AD_DECRYPT_ERROR:
      return psk ? "its key for '" + refusal.identity + "' is another one" : "the keys differ";
    case SSL_AD_UNKNOWN_CA:
      return "it does not trust the authority of our certificate";
    case SSL_AD_CERTIFICATE_EXPIRED:
      return "our certificate has expired, or is not valid yet";
    case SSL_AD_CERTIFICATE_REVOKED:
      return "our certificate is revoked";
    case SSL_AD_HANDSHAKE_FAILURE:
      return psk ? "it takes no pre-shared key" : "it wants a certificate of ours, or a key";
    default:
      return std::string(ours ? "alert of ours: " : "its alert: ") +
             SSL_alert_desc_string_long(alert);
  }
}

void OnMessage(int sent, int /*version*/, int type, const void* bytes, std::size_t count, SSL* tls,
               void* refusal) {
  const auto* alert = static_cast<const unsigned char*>(bytes);
  if (type != SSL3_RT_ALERT || count != 2 || alert[0] != SSL3_AL_FATAL) return;
  auto* to = static_cast<Refusal*>(refusal);
  to->why = WhyOf(*to, alert[1], tls, sent == 1);
}

}  // namespace

TlsClient::TlsClient(const Credentials& credentials)
    : credentials_(credentials), context_(SSL_CTX_new(DTLS_client_method())) {
  CHECK(context_ != nullptr);
}

TlsClient::~TlsClient() { SSL_CTX_free(context_); }

Result<std::shared_ptr<const TlsClient>> TlsClient::Create(const Credentials& credentials) {
  std::shared_ptr<TlsClient> client(new TlsClient(credentials));
  if (Status loaded = client->Load(); !loaded.ok()) return loaded.error();
  return std::shared_ptr<const TlsClient>(std::move(client));
}

Status TlsClient::Load() {
  SSL_CTX_set_min_proto_version(context_, DTLS1_2_VERSION);
  CHECK(SSL_CTX_set_cipher_list(context_, kCiphers) == 1);
  SSL_CTX_set_options(context_, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET);
  SSL_CTX_set_mode(context_, SSL_MODE_NO_AUTO_CHAIN);
  X509_VERIFY_PARAM_set_auth_level(SSL_CTX_get0_param(context_), kCertificateLevel);
  SSL_CTX_set_default_passwd_cb(context_, &NoPassphrase);
  if (!credentials_.psk_identity.empty()) {
    SSL_CTX_set_app_data(context_, const_cast<Credentials*>(&credentials_));
    SSL_CTX_set_psk_client_callback(context_, &GiveKey);
    return Ok{};
  }
  SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
  const auto& [identity, key, certificate_file, key_file, ca_file] = credentials_;
  for (const std::string& file : {certificate_file, key_file, ca_file}) {
    if (file.empty()) continue;
    if (Status readable = CheckReadable(file); !readable.ok()) return readable;
  }
  if (ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(context_);
  } else if (SSL_CTX_load_verify_locations(context_, ca_file.c_str(), nullptr) != 1) {
    return CannotUse(ca_file, "holds no certificate in PEM");
  }
  if (certificate_file.empty()) return Ok{};
  if (SSL_CTX_use_certificate_chain_file(context_, certificate_file.c_str()) != 1) {
    return CannotUse(certificate_file, "holds no certificate in PEM");
  }
  if (SSL_CTX_use_PrivateKey_file(context_, key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    const bool other = ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH;
    return CannotUse(key_file, other ? "is not the key of " + certificate_file
                                     : "holds no unencrypted key in PEM");
  }
  return Ok{};
}

ssl_st* TlsClient::NewSession(const std::string& host) const {
  SSL* tls = SSL_new(context_);
  CHECK(tls != nullptr);
  if (credentials_.psk_identity.empty()) UseCertificates(tls, host);
  return tls;
}

void TlsClient::UseCertificates(ssl_st* tls, const std::string& host) const {
  if (X509* certificate = SSL_CTX_get0_certificate(context_)) {
    STACK_OF(X509)* chain = nullptr;
    SSL_CTX_get0_chain_certs(context_, &chain);
    CHECK(SSL_use_certificate(tls, certificate) == 1);
    CHECK(SSL_use_PrivateKey(tls, SSL_CTX_get0_privatekey(context_)) == 1);
    CHECK(SSL_set1_chain(tls, chain) == 1);
  }
  CHECK(SSL_set1_verify_cert_store(tls, SSL_CTX_get_cert_store(context_)) == 1);
  SSL_set_verify(tls, SSL_VERIFY_PEER, nullptr);
  X509_VERIFY_PARAM* expected = SSL_get0_param(tls);
  if (X509_VERIFY_PARAM_set1_ip_asc(expected, host.c_str()) == 1) return;
  CHECK(SSL_set1_host(tls, host.c_str()) == 1);
}

void WatchAlerts(ssl_st* tls, Refusal* refusal) {
  refusal->why.clear();
  SSL_set_msg_callback(tls, &OnMessage);
  SSL_set_msg_callback_arg(tls, refusal);
}

}  // namespace collector::client
