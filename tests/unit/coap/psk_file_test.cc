#include "collector/coap/psk_file.h"

#include "tests/unit/catch.h"

namespace collector {
namespace {

TEST_CASE("A PSK file names identities and their keys") {
  const auto table = ParsePskFile(
      "# devices\r\n\n"
      "probe-1: 30313233343536373839616263646566 \r\n"
      "aa:bb:cc:MDEyMzQ1Njc4OWFiY2RlZg==");
  REQUIRE(table.ok());
  CHECK(table.value() ==
        PskTable{{"probe-1", "0123456789abcdef"}, {"aa:bb:cc", "0123456789abcdef"}});
}

TEST_CASE("A wrong line is told by its number, without its key") {
  const std::string key = "30313233343536373839616263646566";
  const auto [text, said] = GENERATE_COPY(table<std::string, std::string>({
      {"", "there is no key in it"},
      {"probe", "line 1: is not identity:key"},
      {"a:" + key + "\n:" + key, "line 2: an identity is 1 to 64 bytes without blanks"},
      {"a b:" + key, "line 1: an identity is 1 to 64 bytes without blanks"},
      {std::string(65, 'a') + ":" + key, "line 1: an identity is 1 to 64 bytes without blanks"},
      {"a:" + key.substr(2), "line 1: a key is 16 to 64 bytes, this one is 15"},
      {"a:" + std::string(130, '0'), "line 1: a key is 16 to 64 bytes, this one is 65"},
      {"a:" + std::string(257, '0'), "line 1: a key is at most 64 bytes"},
      {"a:not a key", "line 1: the key is neither hexadecimal nor base64"},
      {"a:", "line 1: a key is 16 to 64 bytes, this one is 0"},
      {"a:" + key + "\na:" + key, "line 2: the identity 'a' was there before"},
  }));
  const auto parsed = ParsePskFile(text);
  REQUIRE_FALSE(parsed.ok());
  CHECK(parsed.error().code == ErrorCode::kConfig);
  CHECK(parsed.error().message == said);
}

}  // namespace
}  // namespace collector
