#include "collector/base/secret_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "collector/base/poller.h"

namespace collector {
namespace {

constexpr std::size_t kSecretBytesMax = 16 * 1024;

Error CannotUse(std::string why) { return {ErrorCode::kConfig, std::move(why)}; }

}  // namespace

Result<SecretFile> ReadSecretFile(const std::string& path) {
  // Not blocking: it may be a pipe that nobody writes to.
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return CannotUse(std::strerror(errno));
  SecretFile read_file;
  if (fstat(file.get(), &read_file.status) != 0) return CannotUse(std::strerror(errno));
  if (!S_ISREG(read_file.status.st_mode)) return CannotUse("not a regular file");
  std::string& secret = read_file.secret;
  secret.resize(kSecretBytesMax + 1);
  const ssize_t size = read(file.get(), secret.data(), secret.size());
  if (size < 0) return CannotUse(std::strerror(errno));
  if (static_cast<std::size_t>(size) > kSecretBytesMax) return CannotUse("longer than 16 KiB");
  secret.resize(static_cast<std::size_t>(size));
  if (secret.ends_with('\n')) secret.pop_back();
  if (secret.ends_with('\r')) secret.pop_back();
  return read_file;
}

bool IsHeaderText(std::string_view secret) {
  return std::all_of(secret.begin(), secret.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

}  // namespace collector
