// Files of pre-shared keys. One is refused with one line that names no key, or taken.
#include <cstdint>
#include <string>
#include <string_view>

#include "collector/coap/psk_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parsed = collector::ParsePskFile({reinterpret_cast<const char*>(data), size});
  if (!parsed.ok()) {
    CHECK(!parsed.error().message.empty());
    CHECK(parsed.error().message.find('\n') == std::string::npos);
    return 0;
  }
  for (const auto& [identity, key] : parsed.value()) {
    CHECK(!identity.empty() && identity.size() <= 64);
    CHECK(key.size() >= 16 && key.size() <= 64);
  }
  return 0;
}
