#include "collector/http/tls_files.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

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
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;

Error CannotUse(const std::string& what, const std::string& file, const std::string& why) {
  ERR_clear_error();
  return {ErrorCode::kConfig, what + " " + file + ": " + why};
}

Result<Bio> Open(const std::string& what, const std::string& file) {
  errno = 0;
  Bio bio(BIO_new_file(file.c_str(), "r"));
  if (bio == nullptr) return CannotUse(what, file, std::strerror(errno));
  return bio;
}

// The first certificate of a PEM file.
Result<Certificate> ReadCertificate(const std::string& what, const std::string& file) {
  Result<Bio> bio = Open(what, file);
  if (!bio.ok()) return bio.error();
  Certificate certificate(PEM_read_bio_X509(bio.value().get(), nullptr, nullptr, nullptr));
  if (certificate == nullptr) return CannotUse(what, file, "holds no certificate in PEM");
  return certificate;
}

// Instead of OpenSSL's own, which asks whoever sits at the terminal.
int NoPassphrase(char*, int, int, void*) { return -1; }

}  // namespace

Status CheckTlsFiles(const HttpClientOptions& options) {
  if (!options.ca_file.empty()) {
    auto authority = ReadCertificate("CA file", options.ca_file);
    if (!authority.ok()) return authority.error();
  }
  if (options.certificate_file.empty()) {
    if (options.key_file.empty()) return Ok{};
    return CannotUse("key file", options.key_file, "given without its certificate");
  }
  auto certificate = ReadCertificate("certificate file", options.certificate_file);
  if (!certificate.ok()) return certificate.error();
  const std::string& key_file =
      options.key_file.empty() ? options.certificate_file : options.key_file;
  Result<Bio> bio = Open("key file", key_file);
  if (!bio.ok()) return bio.error();
  const Key key(PEM_read_bio_PrivateKey(bio.value().get(), nullptr, &NoPassphrase, nullptr));
  if (key == nullptr) return CannotUse("key file", key_file, "holds no unencrypted key in PEM");
  if (X509_check_private_key(certificate.value().get(), key.get()) != 1) {
    return CannotUse("key file", key_file, "is not the key of " + options.certificate_file);
  }
  return Ok{};
}

}  // namespace collector
