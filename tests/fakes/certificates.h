// A certificate authority of a test's own, and the certificates it signs, as PEM files and for a
// server.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>
#include <string>

#include "collector/base/check.h"

namespace collector {

struct Signed {
  Signed(X509* certificate_of, EVP_PKEY* key_of)
      : certificate(certificate_of, &X509_free), key(key_of, &EVP_PKEY_free) {}

  void WriteCertificate(const std::string& file) const {
    std::FILE* out = std::fopen(file.c_str(), "w");
    CHECK(out != nullptr && PEM_write_X509(out, certificate.get()) == 1);
    CHECK(std::fclose(out) == 0);
  }
  // A passphrase encrypts it.
  void WriteKey(const std::string& file, const std::string& passphrase = "") const {
    std::FILE* out = std::fopen(file.c_str(), "w");
    CHECK(out != nullptr);
    std::string phrase = passphrase;
    const EVP_CIPHER* cipher = phrase.empty() ? nullptr : EVP_aes_128_cbc();
    CHECK(PEM_write_PrivateKey(out, key.get(), cipher,
                               reinterpret_cast<unsigned char*>(phrase.data()),
                               static_cast<int>(phrase.size()), nullptr, nullptr) == 1);
    CHECK(std::fclose(out) == 0);
  }

  std::unique_ptr<X509, decltype(&X509_free)> certificate;
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key;
};

// `names` as OpenSSL writes them: "IP:127.0.0.1", "DNS:collector.test". Without an issuer it is an
// authority, signed by itself.
inline Signed MakeCertificate(const std::string& common_name, const std::string& names,
                              const Signed* issuer) {
  Signed made(X509_new(), EVP_EC_gen("P-256"));
  X509* certificate = made.certificate.get();
  CHECK(X509_set_version(certificate, X509_VERSION_3) == 1);
  static int serial = 0;
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, made.key.get());
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1,
                             0);
  const Signed& signer = issuer != nullptr ? *issuer : made;
  X509_set_issuer_name(certificate, X509_get_subject_name(signer.certificate.get()));
  const int extension = issuer != nullptr ? NID_subject_alt_name : NID_basic_constraints;
  X509_EXTENSION* extended = X509V3_EXT_conf_nid(
      nullptr, nullptr, extension, issuer != nullptr ? names.c_str() : "critical,CA:TRUE");
  CHECK(extended != nullptr);
  X509_add_ext(certificate, extended, -1);
  X509_EXTENSION_free(extended);
  CHECK(X509_sign(certificate, signer.key.get(), EVP_sha256()) > 0);
  return made;
}

using ServerTls = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;

// `clients`: only those with a certificate of this authority are served.
inline ServerTls MakeServerTls(const Signed& server, const Signed* clients = nullptr) {
  ServerTls tls(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
  CHECK(SSL_CTX_use_certificate(tls.get(), server.certificate.get()) == 1);
  CHECK(SSL_CTX_use_PrivateKey(tls.get(), server.key.get()) == 1);
  if (clients != nullptr) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(tls.get()), clients->certificate.get());
    SSL_CTX_set_verify(tls.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  return tls;
}

}  // namespace collector
