#include "event/event_decoder.h"

#include "event/event_id.h"
#include "tests/unit/catch.h"

namespace collector {
namespace {

std::string CborOf(const Json& json) {
  const std::vector<std::uint8_t> bytes = Json::to_cbor(json);
  return {bytes.begin(), bytes.end()};
}

Json Reading() {
  return Json::parse(R"({"namespace":"default","sender":"demoMemoria","origin":"probe1",
    "payload":{"type":"temperature","value":16.5,"unit":"C"},
    "timestamp":"2018-06-01T14:08:24.772Z"})");
}

// What tells an event from others.
std::string IdOf(EventFormat format, std::string_view body) {
  EventDecoder decoder;
  std::string diagnostic;
  const bool decoded = decoder.Decode(format, body, &diagnostic);
  INFO(diagnostic);
  REQUIRE(decoded);
  const Event& event = decoder.events()[0];
  std::string payload;
  AppendPayloadJson(event, &payload);
  return ToHex(EventIdHasher().Hash(event, payload, event.timestamp_ns.value_or(0), 0));
}

std::string DiagnosticOf(EventFormat format, std::string_view body) {
  EventDecoder decoder;
  std::string diagnostic;
  CHECK_FALSE(decoder.Decode(format, body, &diagnostic));
  CHECK(diagnostic.size() <= 64);
  return diagnostic;
}

}  // namespace

TEST_CASE("an event has one id, in JSON and in CBOR") {
  const std::string id = IdOf(EventFormat::kJson, Reading().dump());
  CHECK(IdOf(EventFormat::kCbor, CborOf(Reading())) == id);
  Json other = Reading();
  other["timestamp"] = 1'527'862'104.772;
  CHECK(IdOf(EventFormat::kCbor, CborOf(other)) == id);
  CHECK(IdOf(EventFormat::kCbor, CborOf(Json::array({Reading()}))) == id);
  other["payload"]["value"] = 16.6;
  CHECK(IdOf(EventFormat::kCbor, CborOf(other)) != id);
}

TEST_CASE("values of every kind are the same in JSON and in CBOR") {
  const char* text = GENERATE("0", "-1", "18446744073709551615", "-9223372036854775808", "16.0",
                              "5e-324", "0.1", "1e22", "\"\\u0000\\\"\\\\\u00fc\"", "true",
                              "[1,[2,{\"a\":null}],\"x\"]", "{\"lat\":41.38,\"lon\":2.17}");
  CAPTURE(text);
  Json reading = Reading();
  reading["payload"]["value"] = Json::parse(text);
  EventDecoder json;
  EventDecoder cbor;
  std::string diagnostic;
  REQUIRE(json.Decode(EventFormat::kJson, reading.dump(), &diagnostic));
  REQUIRE(cbor.Decode(EventFormat::kCbor, CborOf(reading), &diagnostic));
  CHECK(json.events()[0].value == cbor.events()[0].value);
  CHECK(json.events()[0].value.type() == cbor.events()[0].value.type());
  CHECK(EncodeEventJson(json.events()[0]) == EncodeEventJson(cbor.events()[0]));
}

TEST_CASE("rules and their diagnostics are the same in CBOR") {
  const auto diagnostic = [](const Json& event) {
    return DiagnosticOf(EventFormat::kCbor, CborOf(event));
  };
  Json event = Reading();
  event.erase("origin");
  CHECK(diagnostic(event) == "origin is missing");
  CHECK(diagnostic(Json::array({Reading(), event})) == "[1].origin is missing");
  event["origin"] = 7;
  CHECK(diagnostic(event) == "origin is not a string");
  event = Reading();
  event["timestamp"] = -1;
  CHECK(diagnostic(event) == "timestamp is not 1970 to 2261");
  event["timestamp"] = 1e300;
  CHECK(diagnostic(event) == "timestamp is not 1970 to 2261");
  event["timestamp"] = true;
  CHECK(diagnostic(event) == "timestamp is not a string");
  CHECK(DiagnosticOf(EventFormat::kCbor, "\xa2\x66sender\x61x\x66sender\x61y") ==
        "sender is there twice");
  CHECK(DiagnosticOf(EventFormat::kJson, R"({"timestamp":1527862104})") ==
        "timestamp is not a string");
}

TEST_CASE("an empty body is no event in any format") {
  const auto format = GENERATE(EventFormat::kJson, EventFormat::kCbor, EventFormat::kSenmlJson,
                               EventFormat::kSenmlCbor);
  CHECK(DiagnosticOf(format, "") == "body is empty");
}

TEST_CASE("RFC 8428 section 6: the example in CBOR is the one in JSON") {
  constexpr std::string_view kHex =
      "87a721781b75726e3a6465763a6f773a3130653230373361303130383030363a22fb41d303a15b00106223614120"
      "0500"
      "67766f6c7461676501615602fb405e066666666666a3006763757272656e74062402fb3ff3333333333333a30067"
      "63757272656e74062302fb3ff4cccccccccccda3006763757272656e74062202fb3ff6666666666666a300676375"
      "7272656e74062102f93e00a3006763757272656e74062002fb3ff999999999999aa3006763757272656e74060002"
      "fb3ffb333333333333";
  constexpr std::string_view kJson = R"([
    {"bn":"urn:dev:ow:10e2073a0108006:","bt":1.276020076001e+09,"bu":"A","bver":5,
     "n":"voltage","u":"V","v":120.1},
    {"n":"current","t":-5,"v":1.2},{"n":"current","t":-4,"v":1.3},{"n":"current","t":-3,"v":1.4},
    {"n":"current","t":-2,"v":1.5},{"n":"current","t":-1,"v":1.6},{"n":"current","v":1.7}])";
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string bytes;
  for (std::size_t i = 0; i < kHex.size(); i += 2) {
    bytes.push_back(static_cast<char>(digit(kHex[i]) << 4 | digit(kHex[i + 1])));
  }
  EventDecoder json;
  EventDecoder cbor;
  std::string diagnostic;
  REQUIRE(json.Decode(EventFormat::kSenmlJson, kJson, &diagnostic));
  const bool decoded = cbor.Decode(EventFormat::kSenmlCbor, bytes, &diagnostic);
  INFO(diagnostic);
  REQUIRE(decoded);
  REQUIRE(json.events().size() == 7);
  REQUIRE(cbor.events().size() == 7);
  for (std::size_t i = 0; i < 7; ++i) {
    CHECK(EncodeEventJson(json.events()[i]) == EncodeEventJson(cbor.events()[i]));
  }
}

}  // namespace collector
