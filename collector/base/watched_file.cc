#include "collector/base/watched_file.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

namespace collector {

Result<std::string> ReadFile(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file.is_open() || file.bad() || errno != 0) {
    return Error{ErrorCode::kConfig, path + ": " + std::strerror(errno != 0 ? errno : EIO)};
  }
  return text;
}

bool WatchedFile::Changed() {
  struct stat now {};
  if (path_.empty() || stat(path_.c_str(), &now) != 0) return false;
  const bool same = now.st_dev == seen_.st_dev && now.st_ino == seen_.st_ino &&
                    now.st_size == seen_.st_size && now.st_mtim.tv_sec == seen_.st_mtim.tv_sec &&
                    now.st_mtim.tv_nsec == seen_.st_mtim.tv_nsec;
  seen_ = now;
  return !same;
}

}  // namespace collector
