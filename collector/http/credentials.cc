#include "collector/http/credentials.h"

#include <openssl/evp.h>
#include <sys/stat.h>

#include "collector/base/check.h"
#include "collector/base/clock.h"
#include "collector/base/secret_file.h"

namespace collector {
namespace {

std::string Base64(std::string_view text) {
  std::string encoded((text.size() + 2) / 3 * 4, '\0');
  // It writes a NUL behind the text, where a string has its own.
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  CHECK(static_cast<std::size_t>(size) == encoded.size());
  return encoded;
}

Error ConfigError(std::string message) { return {ErrorCode::kConfig, std::move(message)}; }

}  // namespace

Credentials::Credentials(Kind kind, const HttpClientOptions& options) : kind_(kind) {
  if (kind == Kind::kBasic) {
    user_ = options.user;
    file_ = options.password_file;
  } else if (kind == Kind::kApiKey) {
    file_ = options.api_key_file;
  } else if (kind == Kind::kBearer) {
    file_ = options.bearer_file;
  }
}

Result<Credentials> Credentials::Create(const HttpClientOptions& options) {
  const bool password = !options.password.empty() || !options.password_file.empty();
  const bool basic = !options.user.empty();
  const bool api_key = !options.api_key.empty() || !options.api_key_file.empty();
  const bool bearer = !options.bearer.empty() || !options.bearer_file.empty();
  if (basic + api_key + bearer > 1) {
    return ConfigError(
        "more than one kind of credentials: give a user, an API key or a bearer "
        "token");
  }
  if (password != basic) {
    return ConfigError(basic ? "user '" + options.user + "' without a password"
                             : "a password without a user");
  }
  if (options.user.find(':') != std::string::npos) {
    return ConfigError("user '" + options.user + "': a user cannot contain ':'");
  }
  const Kind kind = basic     ? Kind::kBasic
                    : api_key ? Kind::kApiKey
                    : bearer  ? Kind::kBearer
                              : Kind::kNone;
  Credentials credentials(kind, options);
  const std::string& value = basic ? options.password : api_key ? options.api_key : options.bearer;
  if (!value.empty() && !credentials.file_.empty()) {
    return ConfigError(credentials.What() + ": given both as a value and as a file");
  }
  if (kind == Kind::kNone) return credentials;
  Result<std::string> secret = credentials.file_.empty() ? value : credentials.ReadSecret();
  if (!secret.ok()) return secret.error();
  credentials.header_ = credentials.HeaderFor(secret.value());
  if (!credentials.header_.ok()) return credentials.header_.error();
  return credentials;
}

Credentials::Stamp Credentials::StampOf(const struct stat& status) {
  return {.device = status.st_dev,
          .inode = status.st_ino,
          .size = status.st_size,
          .changed_ns = status.st_mtim.tv_sec * kNsPerSecond + status.st_mtim.tv_nsec};
}

Result<std::string_view> Credentials::Header(std::int64_t now_ns) {
  if (!file_.empty() && now_ns - looked_ns_ >= kNsPerSecond) {
    looked_ns_ = now_ns;
    struct stat status {};
    const bool there = stat(file_.c_str(), &status) == 0;
    if (!there || !header_.ok() || stamp_ != StampOf(status)) {
      Result<std::string> secret = ReadSecret();
      header_ = secret.ok() ? HeaderFor(secret.value()) : secret;
    }
  }
  if (!header_.ok()) return header_.error();
  return std::string_view(header_.value());
}

// For people: "password file /run/secrets/password".
std::string Credentials::What() const {
  std::string what = kind_ == Kind::kBasic    ? "password"
                     : kind_ == Kind::kApiKey ? "API key"
                                              : "bearer token";
  if (!file_.empty()) what += " file " + file_;
  return what;
}

Error Credentials::CannotUse(std::string_view why) const {
  return ConfigError(What() + ": " + std::string(why));
}

Result<std::string> Credentials::ReadSecret() {
  auto file = ReadSecretFile(file_);
  if (!file.ok()) return CannotUse(file.error().message);
  // What is written meanwhile is seen the next time.
  stamp_ = StampOf(file.value().status);
  return std::move(file.value().secret);
}

Result<std::string> Credentials::HeaderFor(std::string_view secret) const {
  if (secret.empty()) return CannotUse("empty");
  if (kind_ == Kind::kBasic) {
    return "Authorization: Basic " + Base64(user_ + ":" + std::string(secret));
  }
  if (!IsHeaderText(secret)) return CannotUse("holds blanks or characters beyond ASCII");
  if (kind_ == Kind::kBearer) return "Authorization: Bearer " + std::string(secret);
  const bool plain = secret.find(':') != std::string_view::npos;
  return "Authorization: ApiKey " + (plain ? Base64(secret) : std::string(secret));
}

}  // namespace collector
