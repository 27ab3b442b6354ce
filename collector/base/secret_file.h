// Secrets that are kept in files of their own.
#pragma once

#include <sys/stat.h>

#include <string>
#include <string_view>

#include "collector/base/result.h"

namespace collector {

struct SecretFile {
  std::string secret;     // without the end of its line
  struct stat status {};  // of the file, before it was read
};

// At most 16 KiB of a regular file; never waits. kConfig: why not, without the path, and never with
// a part of a secret.
Result<SecretFile> ReadSecretFile(const std::string& path);

// Whether a secret may stand in a header as it is: ASCII without blanks.
bool IsHeaderText(std::string_view secret);

}  // namespace collector
