// Configuration files. A file is refused with one line, or taken; never anything else.
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "collector/config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const int file = memfd_create("config", MFD_CLOEXEC);
  CHECK(file >= 0);
  CHECK(write(file, data, size) == static_cast<ssize_t>(size));
  const auto parsed = collector::ParseConfig({"--config", "/proc/self/fd/" + std::to_string(file)},
                                             [](const char*) -> const char* { return nullptr; });
  if (!parsed.ok()) {
    CHECK(!parsed.error().message.empty());
    CHECK(parsed.error().message.find('\n') == std::string::npos);
  }
  close(file);
  return 0;
}
