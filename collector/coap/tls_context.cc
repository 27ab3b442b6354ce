#include "collector/coap/tls_context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstring>

namespace collector {
namespace {

template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using RevocationList = std::unique_ptr<X509_CRL, Freed<X509_CRL_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;

Error CannotUse(const std::string& file, const std::string& why) {
  ERR_clear_error();
  return {ErrorCode::kConfig, file + ": " + why};
}

Result<Bio> Open(const std::string& file) {
  errno = 0;
  Bio bio(BIO_new_file(file.c_str(), "r"));
  if (bio == nullptr) return CannotUse(file, std::strerror(errno));
  return bio;
}

// Instead of OpenSSL's own, which asks whoever sits at the terminal.
int NoPassphrase(char*, int, int, void*) { return -1; }

Result<std::vector<Certificate>> ReadCertificates(const std::string& file) {
  auto bio = Open(file);
  if (!bio.ok()) return bio.error();
  std::vector<Certificate> all;
  while (X509* one = PEM_read_bio_X509(bio.value().get(), nullptr, &NoPassphrase, nullptr)) {
    all.emplace_back(one);
  }
  ERR_clear_error();  // the end of the file is one
  if (all.empty()) return CannotUse(file, "holds no certificate in PEM");
  return all;
}

std::string TextOf(const ASN1_STRING* text) {
  unsigned char* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, text);
  if (size < 0) return {};
  std::string value(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size));
  OPENSSL_free(utf8);
  return value.find('\0') == value.npos ? value : std::string();
}

void AddCommonNames(const X509* certificate, std::vector<std::string>* names) {
  const X509_NAME* subject = X509_get_subject_name(certificate);
  for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0;) {
    const std::string name = TextOf(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (!name.empty()) names->push_back("cn:" + name);
  }
}

void AddAlternativeNames(const X509* certificate, std::vector<std::string>* names) {
  auto* alternatives = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(alternatives); ++i) {
    const GENERAL_NAME* one = sk_GENERAL_NAME_value(alternatives, i);
    if (one->type != GEN_DNS && one->type != GEN_URI) continue;
    const std::string name = TextOf(one->d.ia5);
    if (!name.empty()) names->push_back((one->type == GEN_DNS ? "dns:" : "uri:") + name);
  }
  GENERAL_NAMES_free(alternatives);
}

// Without forward secrecy only with pre-shared keys, where constrained devices have nothing else.
// Which one is taken is for the client to say: it knows what it can afford.
constexpr const char* kCiphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:"
    "ECDHE-ECDSA-AES128-CCM8:ECDHE-ECDSA-AES128-CCM:"
    "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305:"
    "ECDHE-PSK-CHACHA20-POLY1305:PSK-AES128-GCM-SHA256:PSK-AES256-GCM-SHA384:"
    "PSK-CHACHA20-POLY1305:PSK-AES128-CCM8:PSK-AES128-CCM:"
    // OpenSSL puts CCM8, which RFC 7252 section 9.1.3 demands, below its levels: its tag has 64
    // bits.
    "@SECLEVEL=0";
constexpr const char* kSignatures =
    "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:"
    "rsa_pss_rsae_sha512:RSA+SHA256:RSA+SHA384:RSA+SHA512";
constexpr const char* kGroups = "X25519:P-256:P-384";
// What the level above would have asked of the clients' certificates: 112 bits, no SHA-1.
constexpr int kCertificateLevel = 2;
constexpr long kCertificatesBytesMax = 16'384;  // of a client's chain
constexpr long kFragmentBytesMax = 1'216;       // an answer, in one record

void Restrict(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION);
  CHECK(SSL_CTX_set_cipher_list(context, kCiphers) == 1);
  CHECK(SSL_CTX_set1_groups_list(context, kGroups) == 1);
  CHECK(SSL_CTX_set1_sigalgs_list(context, kSignatures) == 1);
  CHECK(SSL_CTX_set1_client_sigalgs_list(context, kSignatures) == 1);
  // Nothing is resumed: a key that was taken away counts at once.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_QUERY_MTU);
  // Of chains, only what the file holds is sent.
  SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_max_cert_list(context, kCertificatesBytesMax);
  SSL_CTX_set_max_send_fragment(context, kFragmentBytesMax);
  X509_VERIFY_PARAM_set_auth_level(SSL_CTX_get0_param(context), kCertificateLevel);
}

Status UseOurs(const CertificateFiles& files, SSL_CTX* context) {
  auto chain = ReadCertificates(files.certificate);
  if (!chain.ok()) return chain.error();
  X509* ours = chain.value().front().get();
  auto bio = Open(files.key);
  if (!bio.ok()) return bio.error();
  const Key key(PEM_read_bio_PrivateKey(bio.value().get(), nullptr, &NoPassphrase, nullptr));
  if (key == nullptr) return CannotUse(files.key, "holds no unencrypted key in PEM");
  if (X509_check_private_key(ours, key.get()) != 1) {
    return CannotUse(files.key, "is not the key of " + files.certificate);
  }
  bool used = SSL_CTX_use_certificate(context, ours) == 1;
  for (std::size_t i = 1; i < chain.value().size(); ++i) {
    used = used && SSL_CTX_add1_chain_cert(context, chain.value()[i].get()) == 1;
  }
  if (!used || SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    return CannotUse(files.certificate, "cannot be used for TLS");
  }
  return Ok{};
}

Status UseRevocation(const std::string& file, SSL_CTX* context) {
  auto bio = Open(file);
  if (!bio.ok()) return bio.error();
  int lists = 0;
  while (X509_CRL* list = PEM_read_bio_X509_CRL(bio.value().get(), nullptr, nullptr, nullptr)) {
    const RevocationList owned(list);
    X509_STORE_add_crl(SSL_CTX_get_cert_store(context), list);
    ++lists;
  }
  ERR_clear_error();
  if (lists == 0) return CannotUse(file, "holds no revocation list in PEM");
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_CRL_CHECK);
  return Ok{};
}

Status UseAuthorities(const CertificateFiles& files, SSL_CTX* context) {
  auto authorities = ReadCertificates(files.client_ca);
  if (!authorities.ok()) return authorities.error();
  for (const Certificate& one : authorities.value()) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), one.get());
    SSL_CTX_add_client_CA(context, one.get());
  }
  // Whoever is in the file is trusted, a root or not.
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return files.revocation.empty() ? Status(Ok{}) : UseRevocation(files.revocation, context);
}

}  // namespace

void TlsFree::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }
void TlsFree::operator()(ssl_st* tls) const { SSL_free(tls); }

Result<TlsContext> CreateTlsContext(const CertificateFiles& files) {
  TlsContext context(SSL_CTX_new(DTLS_server_method()));
  CHECK(context != nullptr);
  Restrict(context.get());
  if (!files.certificate.empty()) {
    if (Status used = UseOurs(files, context.get()); !used.ok()) return used.error();
  }
  if (!files.client_ca.empty()) {
    if (Status used = UseAuthorities(files, context.get()); !used.ok()) return used.error();
  }
  return context;
}

std::vector<std::string> NamesOf(ssl_st* tls) {
  std::vector<std::string> names;
  const Certificate certificate(SSL_get1_peer_certificate(tls));
  if (certificate != nullptr && SSL_get_verify_result(tls) == X509_V_OK &&
      SSL_get_verify_mode(tls) != SSL_VERIFY_NONE) {
    AddCommonNames(certificate.get(), &names);
    AddAlternativeNames(certificate.get(), &names);
  } else if (const char* identity = SSL_get_psk_identity(tls)) {
    names.push_back(std::string("psk:") + identity);
  }
  return names;
}

std::string FailureOf(ssl_st* tls) {
  const long verified = SSL_get_verify_result(tls);
  if (verified != X509_V_OK) return X509_verify_cert_error_string(verified);
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return reason != nullptr ? reason : "ended by the peer";
}

}  // namespace collector
