#include "collector/coap/certificates.h"

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
using Store = std::unique_ptr<X509_STORE, Freed<X509_STORE_free>>;

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

}  // namespace

struct Certificates::Loaded {
  std::vector<Certificate> ours;  // the first one is ours, the others lead to its root
  Key key;
  Store clients;  // none: they need no certificate
  std::vector<Certificate> authorities;

  Status LoadOurs(const CertificateFiles& files);
  Status LoadClients(const CertificateFiles& files);
  Status LoadRevocation(const std::string& file);
};

Status Certificates::Loaded::LoadOurs(const CertificateFiles& files) {
  auto certificates = ReadCertificates(files.certificate);
  if (!certificates.ok()) return certificates.error();
  ours = std::move(certificates).value();
  auto bio = Open(files.key);
  if (!bio.ok()) return bio.error();
  key.reset(PEM_read_bio_PrivateKey(bio.value().get(), nullptr, &NoPassphrase, nullptr));
  if (key == nullptr) return CannotUse(files.key, "holds no unencrypted key in PEM");
  if (X509_check_private_key(ours.front().get(), key.get()) != 1) {
    return CannotUse(files.key, "is not the key of " + files.certificate);
  }
  return Ok{};
}

Status Certificates::Loaded::LoadClients(const CertificateFiles& files) {
  if (files.client_ca.empty()) return Ok{};
  auto certificates = ReadCertificates(files.client_ca);
  if (!certificates.ok()) return certificates.error();
  authorities = std::move(certificates).value();
  clients.reset(X509_STORE_new());
  CHECK(clients != nullptr);
  X509_STORE_set_purpose(clients.get(), X509_PURPOSE_SSL_CLIENT);
  for (const Certificate& one : authorities) X509_STORE_add_cert(clients.get(), one.get());
  return files.revocation.empty() ? Status(Ok{}) : LoadRevocation(files.revocation);
}

Status Certificates::Loaded::LoadRevocation(const std::string& file) {
  auto bio = Open(file);
  if (!bio.ok()) return bio.error();
  int lists = 0;
  while (X509_CRL* list = PEM_read_bio_X509_CRL(bio.value().get(), nullptr, nullptr, nullptr)) {
    const RevocationList owned(list);
    X509_STORE_add_crl(clients.get(), list);
    ++lists;
  }
  ERR_clear_error();
  if (lists == 0) return CannotUse(file, "holds no revocation list in PEM");
  X509_STORE_set_flags(clients.get(), X509_V_FLAG_CRL_CHECK);
  return Ok{};
}

Certificates::Certificates(std::unique_ptr<Loaded> loaded) : loaded_(std::move(loaded)) {}
Certificates::~Certificates() = default;

Result<std::unique_ptr<Certificates>> Certificates::Load(const CertificateFiles& files) {
  auto loaded = std::make_unique<Loaded>();
  if (Status read = loaded->LoadOurs(files); !read.ok()) return read.error();
  if (Status read = loaded->LoadClients(files); !read.ok()) return read.error();
  return std::unique_ptr<Certificates>(new Certificates(std::move(loaded)));
}

bool Certificates::Apply(ssl_st* tls) const {
  if (SSL_use_certificate(tls, loaded_->ours.front().get()) != 1) return false;
  SSL_clear_chain_certs(tls);
  for (std::size_t i = 1; i < loaded_->ours.size(); ++i) {
    if (SSL_add1_chain_cert(tls, loaded_->ours[i].get()) != 1) return false;
  }
  if (SSL_use_PrivateKey(tls, loaded_->key.get()) != 1) return false;
  if (loaded_->clients == nullptr) {
    SSL_set_verify(tls, SSL_VERIFY_NONE, nullptr);
    return true;
  }
  SSL_set_verify(tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  for (const Certificate& one : loaded_->authorities) SSL_add_client_CA(tls, one.get());
  return SSL_set1_verify_cert_store(tls, loaded_->clients.get()) == 1;
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
  return reason != nullptr ? reason : "ended by the peer";
}

}  // namespace collector
