#include "client/value.h"

#include "tests/unit/catch.h"

namespace collector::client {
namespace {

Json Value(const std::string& text) {
  auto value = ParseValue(text);
  REQUIRE(value.ok());
  return value.value();
}

TEST_CASE("numbers, booleans and JSON are what they look like") {
  CHECK(Value("21.5") == Json(21.5));
  CHECK(Value("-3") == Json(-3));
  CHECK(Value("1e3") == Json(1000.0));
  CHECK(Value(".5") == Json(0.5));
  CHECK(Value("-.5") == Json(-0.5));
  CHECK(Value("true") == Json(true));
  CHECK(Value("{\"lat\":1,\"lon\":2}") == Json({{"lat", 1}, {"lon", 2}}));
  CHECK(Value("[1,\"a\"]") == Json({1, "a"}));
}

TEST_CASE("everything else is a text") {
  for (const char* text : {"hello", "", "NaN", "inf", "-inf", "0x10", "007", "+5", "1e999", "True",
                           "21,5", "21.5 C", ".", "-"}) {
    INFO(text);
    CHECK(Value(text) == Json(text));
  }
  CHECK(Value("\"21.5\"") == Json("21.5"));
}

TEST_CASE("null and broken JSON are refused") {
  CHECK_FALSE(ParseValue("null").ok());
  CHECK_FALSE(ParseValue("{lat:1}").ok());
  CHECK_FALSE(ParseValue("[1,").ok());
}

TEST_CASE("UTF-8 is told from other bytes") {
  CHECK(IsUtf8(""));
  CHECK(IsUtf8("caf\u00e9 \"quoted\" \\ \n"));
  CHECK_FALSE(IsUtf8("\xff"));
  CHECK_FALSE(IsUtf8("caf\xe9"));
  CHECK_FALSE(IsUtf8("\xed\xa0\x80"));  // half of a surrogate pair
}

TEST_CASE("what came from outside does not drive a terminal") {
  CHECK(Printable("caf\u00e9\x1b[31m\n") == "caf\u00e9 [31m ");
  CHECK(Printable("\xff") == "(not UTF-8)");
}

}  // namespace
}  // namespace collector::client
