// The token that HTTP asks for, where one is set.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "collector/base/result.h"

namespace collector {

// Knows a token again. Keeps its hash only.
class AccessToken {
 public:
  // kConfig: shorter than 16 characters, or with such as a header cannot hold.
  static Result<AccessToken> Create(std::string_view token);
  // Likewise, of a file; or it cannot be read.
  static Result<AccessToken> FromFile(const std::string& path);

  // Whether the value of an Authorization header has it: "Bearer TOKEN", or "Basic" with any user
  // and the token as password, as browsers ask for it. The time it takes tells nothing of the
  // token.
  [[nodiscard]] bool IsIn(std::string_view authorization) const;

 private:
  using Digest = std::array<std::uint8_t, 32>;

  explicit AccessToken(const Digest& digest) : digest_(digest) {}
  static Digest DigestOf(std::string_view text);

  Digest digest_;
};

}  // namespace collector
