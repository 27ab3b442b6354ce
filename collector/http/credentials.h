// Who an HttpClient says it is: the Authorization header, from values or from files that may
// change.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "collector/base/result.h"
#include "collector/http/http_client_options.h"

namespace collector {

// Keeps its one file's content until the file changes. No error ever holds a part of a secret.
class Credentials {
 public:
  // kConfig: contradicting options, or a file that cannot be read or holds no secret.
  static Result<Credentials> Create(const HttpClientOptions& options);

  // The header as a line, "Authorization: ..."; empty without credentials. Looks whether the file
  // changed at most once a second. Good until the next call.
  Result<std::string_view> Header(std::int64_t now_ns);

 private:
  enum class Kind : std::uint8_t { kNone, kBasic, kApiKey, kBearer };
  struct Stamp {  // of a file: another one means that it may say something else
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    std::int64_t changed_ns = 0;
    bool operator==(const Stamp&) const = default;
  };

  static Stamp StampOf(const struct stat& status);
  Credentials(Kind kind, const HttpClientOptions& options);
  [[nodiscard]] std::string What() const;
  Result<std::string> ReadSecret();
  [[nodiscard]] Result<std::string> HeaderFor(std::string_view secret) const;
  [[nodiscard]] Error CannotUse(std::string_view why) const;

  Kind kind_;
  std::string user_;
  std::string file_;  // empty: the secret is a value
  Stamp stamp_;       // of what `header_` was made from
  std::int64_t looked_ns_ = 0;
  Result<std::string> header_{std::string()};
};

}  // namespace collector
