// A file that is read again when it has changed: keys, certificates, rules.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>

#include "collector/base/result.h"

namespace collector {

// The whole file. kConfig, with its name, where that cannot be.
Result<std::string> ReadFile(const std::string& path);

class WatchedFile {
 public:
  explicit WatchedFile(std::string path) : path_(std::move(path)) {}

  [[nodiscard]] const std::string& path() const { return path_; }

  // Whether another file is there, or the same one with another time or size, than when this was
  // last asked; the first time it is. What is not there has not changed.
  bool Changed();

 private:
  std::string path_;
  struct stat seen_ {};
};

}  // namespace collector
