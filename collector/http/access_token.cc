#include "collector/http/access_token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cctype>

#include "collector/base/secret_file.h"

namespace collector {
namespace {

constexpr std::size_t kTokenCharactersMin = 16;

// The text behind "SCHEME "; none for another scheme.
std::string_view CredentialsOf(std::string_view authorization, std::string_view scheme) {
  const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
  if (authorization.size() <= scheme.size() || authorization[scheme.size()] != ' ' ||
      !std::equal(scheme.begin(), scheme.end(), authorization.begin(),
                  [same](char wanted, char given) { return same(given, wanted); })) {
    return {};
  }
  return authorization.substr(scheme.size() + 1);
}

// Of base64's "user:password"; empty for anything else.
std::string PasswordIn(std::string_view encoded) {
  std::string decoded(encoded.size(), '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(decoded.data()),
                                   reinterpret_cast<const unsigned char*>(encoded.data()),
                                   static_cast<int>(encoded.size()));
  if (size < 0) return {};
  // It takes padding for zeros, and no character of a token is one.
  decoded.resize(static_cast<std::size_t>(size));
  while (decoded.ends_with('\0')) decoded.pop_back();
  const auto colon = decoded.find(':');
  return colon == std::string::npos ? std::string() : decoded.substr(colon + 1);
}

}  // namespace

Result<AccessToken> AccessToken::Create(std::string_view token) {
  if (token.size() < kTokenCharactersMin) {
    return Error{ErrorCode::kConfig,
                 "shorter than " + std::to_string(kTokenCharactersMin) + " characters"};
  }
  if (!IsHeaderText(token)) {
    return Error{ErrorCode::kConfig, "holds blanks or characters beyond ASCII"};
  }
  return AccessToken(DigestOf(token));
}

Result<AccessToken> AccessToken::FromFile(const std::string& path) {
  auto file = ReadSecretFile(path);
  if (!file.ok()) return file.error();
  return Create(file.value().secret);
}

bool AccessToken::IsIn(std::string_view authorization) const {
  const std::string_view basic = CredentialsOf(authorization, "basic");
  const std::string token =
      basic.empty() ? std::string(CredentialsOf(authorization, "bearer")) : PasswordIn(basic);
  const Digest given = DigestOf(token);
  return CRYPTO_memcmp(given.data(), digest_.data(), given.size()) == 0;
}

AccessToken::Digest AccessToken::DigestOf(std::string_view text) {
  Digest digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return digest;
}

}  // namespace collector
