#include "event/cbor.h"

#include "tests/unit/catch.h"

namespace collector {
namespace {

int Digit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

std::string Bytes(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(Digit(hex[i]) << 4 | Digit(hex[i + 1])));
  }
  return bytes;
}

std::string JsonOf(std::string_view hex, CborLabels labels = CborLabels::kText) {
  std::string json;
  std::string diagnostic;
  return CborToJson(Bytes(hex), labels, &json, &diagnostic) ? json : diagnostic;
}

std::string DiagnosticOf(std::string_view bytes, CborLabels labels = CborLabels::kText) {
  std::string json;
  std::string diagnostic;
  CHECK_FALSE(CborToJson(bytes, labels, &json, &diagnostic));
  CHECK(diagnostic.size() <= 64);
  return diagnostic;
}

struct Example {
  const char* hex;
  const char* json;
};

}  // namespace

TEST_CASE("RFC 8949 appendix A: what JSON can say") {
  const Example example = GENERATE(values<Example>({
      {"00", "0"},
      {"01", "1"},
      {"0a", "10"},
      {"17", "23"},
      {"1818", "24"},
      {"1819", "25"},
      {"1864", "100"},
      {"1903e8", "1000"},
      {"1a000f4240", "1000000"},
      {"1b000000e8d4a51000", "1000000000000"},
      {"1bffffffffffffffff", "18446744073709551615"},
      {"20", "-1"},
      {"29", "-10"},
      {"3863", "-100"},
      {"3903e7", "-1000"},
      {"3b7fffffffffffffff", "-9223372036854775808"},
      {"f90000", "0.0"},
      {"f98000", "-0.0"},
      {"f93c00", "1.0"},
      {"fb3ff199999999999a", "1.1"},
      {"f93e00", "1.5"},
      {"f97bff", "65504.0"},
      {"fa47c35000", "1e+05"},
      {"fa7f7fffff", "3.4028234663852886e+38"},
      {"fb7e37e43c8800759c", "1e+300"},
      {"f90001", "5.960464477539063e-08"},
      {"f90400", "6.103515625e-05"},
      {"f9c400", "-4.0"},
      {"fbc010666666666666", "-4.1"},
      {"f4", "false"},
      {"f5", "true"},
      {"f6", "null"},
      {"c074323031332d30332d32315432303a30343a30305a", "\"2013-03-21T20:04:00Z\""},
      {"c11a514b67b0", "1363896240"},
      {"c1fb41d452d9ec200000", "1363896240.5"},
      {"60", "\"\""},
      {"6161", "\"a\""},
      {"6449455446", "\"IETF\""},
      {"62225c", R"("\"\\")"},
      {"62c3bc", "\"ü\""},
      {"63e6b0b4", "\"水\""},
      {"64f0908591", "\"𐅑\""},
      {"80", "[]"},
      {"83010203", "[1,2,3]"},
      {"8301820203820405", "[1,[2,3],[4,5]]"},
      {"98190102030405060708090a0b0c0d0e0f101112131415161718181819",
       "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25]"},
      {"a0", "{}"},
      {"a26161016162820203", R"({"a":1,"b":[2,3]})"},
      {"826161a161626163", R"(["a",{"b":"c"}])"},
      {"7f657374726561646d696e67ff", "\"streaming\""},
      {"9fff", "[]"},
      {"9f018202039f0405ffff", "[1,[2,3],[4,5]]"},
      {"9f01820203820405ff", "[1,[2,3],[4,5]]"},
      {"83018202039f0405ff", "[1,[2,3],[4,5]]"},
      {"bf61610161629f0203ffff", R"({"a":1,"b":[2,3]})"},
      {"826161bf61626163ff", R"(["a",{"b":"c"}])"},
      {"bf6346756ef563416d7421ff", R"({"Fun":true,"Amt":-2})"},
      {"c48221196ab3", "27315e-2"},             // section 3.4.4: 273.15
      {"d9d9f783010203", "[1,2,3]"},            // section 3.4.6
      {"6301021f", R"("\u0001\u0002\u001f")"},  // not of the appendix
  }));
  CAPTURE(example.hex);
  CHECK(JsonOf(example.hex) == example.json);
}

TEST_CASE("RFC 8949 appendix A: what JSON cannot say") {
  const Example example = GENERATE(values<Example>({
      {"c249010000000000000000", "not CBOR: a tag other than 0, 1 and 4"},
      {"3bffffffffffffffff", "not CBOR: an integer below -2^63"},
      {"f97c00", "not CBOR: NaN or an infinity"},
      {"f97e00", "not CBOR: NaN or an infinity"},
      {"fa7f800000", "not CBOR: NaN or an infinity"},
      {"fbfff0000000000000", "not CBOR: NaN or an infinity"},
      {"f7", "not CBOR: a value that JSON does not have"},
      {"f0", "not CBOR: a byte that begins nothing"},
      {"f8ff", "not CBOR: a byte that begins nothing"},
      {"d74401020304", "not CBOR: a tag other than 0, 1 and 4"},
      {"4401020304", "not CBOR: a byte string"},
      {"5f42010243030405ff", "not CBOR: a byte string"},
      {"a201020304", "not CBOR: a map's key is not a text"},
  }));
  CAPTURE(example.hex);
  CHECK(DiagnosticOf(Bytes(example.hex)) == example.json);
}

TEST_CASE("what is not well-formed is refused") {
  const Example example = GENERATE(values<Example>({
      {"", "cut short"},
      {"18", "cut short"},
      {"1b00", "cut short"},
      {"6261", "cut short"},
      {"7bffffffffffffffff61", "cut short"},  // a text of 2^64 - 1 bytes
      {"9bffffffffffffffff", "cut short"},    // an array of as many items
      {"bbffffffffffffffff", "cut short"},
      {"9b00000000ffffffff00", "cut short"},
      {"8301", "cut short"},
      {"a16161", "cut short"},
      {"9f01", "cut short"},
      {"7f6161", "cut short"},
      {"c1", "cut short"},
      {"c482", "cut short"},
      {"1c", "a byte that begins nothing"},
      {"ff", "a break that ends nothing"},
      {"81ff", "a break that ends nothing"},
      {"bf6161ff", "a break that ends nothing"},
      {"7f01ff", "a piece of a string is none"},
      {"7f7f6161ffff", "a piece of a string is none"},
      {"7f4161ff", "a piece of a string is none"},
      {"0000", "something follows"},
      {"8000", "something follows"},
      {"61ff", "not UTF-8"},
      {"63eda080", "not UTF-8"},
      {"62c0af", "not UTF-8"},
      {"c001", "a time that is no text or number"},
      {"c16161", "a time that is no text or number"},
      {"c1c11a514b67b0", "a time that is no text or number"},
      {"c48221fb3ff199999999999a", "a decimal fraction of no two integers"},
      {"c48101", "a decimal fraction of no two integers"},
      {"c49f2101ff", "a decimal fraction of no two integers"},
      {"c4821903e701", "a number out of range"},
      {"a1c0616101", "a map's key is not a text"},
      {"a18001", "a map's key is not a text"},
      {"d9d9f7d9d9f700", "a tag other than 0, 1 and 4"},
  }));
  CAPTURE(example.hex);
  CHECK(DiagnosticOf(Bytes(example.hex)) == std::string("not CBOR: ") + example.json);
}

TEST_CASE("deep nesting costs nothing") {
  CHECK(DiagnosticOf(std::string(1'000'000, '\x81')) == "not CBOR: nested too deep");
  CHECK(DiagnosticOf(std::string(1'000'000, '\x9f')) == "not CBOR: nested too deep");
  CHECK(DiagnosticOf(std::string(1'000'000, '\xc1')) ==
        "not CBOR: a time that is no text or number");
  CHECK(DiagnosticOf(std::string(1'000'000, '\x7f')) == "not CBOR: a piece of a string is none");
  CHECK(JsonOf(std::string(32, '8').append("0")).starts_with("not CBOR"));
  std::string json;
  std::string diagnostic;
  CHECK(CborToJson(std::string(31, '\x81') + '\x80', CborLabels::kText, &json, &diagnostic));
  CHECK(json == std::string(32, '[') + std::string(32, ']'));
}

TEST_CASE("every cut of a good item is refused, and no byte changed in it does harm") {
  const std::string good =
      Bytes("bf616182c1fb41d452d9ec2000007f6161626262ff6162a16163c482211903e86164f5ff");
  std::string json;
  std::string diagnostic;
  REQUIRE(CborToJson(good, CborLabels::kText, &json, &diagnostic));
  CHECK(json == R"({"a":[1363896240.5,"abb"],"b":{"c":1000e-2},"d":true})");
  for (std::size_t size = 0; size < good.size(); ++size) DiagnosticOf(good.substr(0, size));
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string other = good;
      other[at] = static_cast<char>(byte);
      CborToJson(other, CborLabels::kSenml, &json, &diagnostic);
      if (json.size() > 8 * good.size()) FAIL("grows too much");
    }
  }
}

TEST_CASE("SenML's labels are numbers, and its data is base64url") {
  const auto senml = [](std::string_view hex) { return JsonOf(hex, CborLabels::kSenml); };
  CHECK(senml("a1006161") == R"({"n":"a"})");
  CHECK(senml("a6200121022203230424052506") == R"({"bver":1,"bn":2,"bt":3,"bu":4,"bv":5,"bs":6})");
  CHECK(senml("a800000101020203030404050506060707") ==
        R"({"n":0,"u":1,"v":2,"vs":3,"vb":4,"s":5,"t":6,"ut":7})");
  CHECK(senml("a10843fbff00") == R"({"vd":"-_8A"})");
  CHECK(senml("a10842fbff") == R"({"vd":"-_8"})");
  CHECK(senml("a10841fb") == R"({"vd":"-w"})");
  CHECK(senml("a1625f764100") == "not CBOR: a byte string");
  CHECK(senml("a10800") == R"({"vd":0})");
  CHECK(senml("a20800034101") == "not CBOR: a byte string");
  CHECK(senml("a2091838201864") == R"({"9":56,"bver":100})");
  CHECK(JsonOf("a1000101") == "not CBOR: a map's key is not a text");
}

}  // namespace collector
