#include "event/senml.h"

#include <cmath>

#include "event/event_json.h"
#include "event/timestamp.h"
#include "tests/unit/catch.h"

namespace collector {
namespace {

std::vector<Event> Read(std::string_view text) {
  EventList events;
  std::string diagnostic;
  const bool read = SenmlDecoder().Decode(text, &events, &diagnostic);
  INFO(text);
  INFO(diagnostic);
  REQUIRE(read);
  return {events.events().begin(), events.events().end()};
}

std::string PayloadOf(const Event& event) {
  std::string out;
  AppendPayloadJson(event, &out);
  return out;
}

std::string PayloadOf(std::string_view text) { return PayloadOf(Read(text).at(0)); }

std::string DiagnosticOf(std::string_view text) {
  EventList events;
  std::string diagnostic;
  CAPTURE(text);
  CHECK_FALSE(SenmlDecoder().Decode(text, &events, &diagnostic));
  CHECK(diagnostic.size() <= 64);
  return diagnostic;
}

std::string TimeOf(const Event& event) {
  return event.timestamp_ns ? FormatTimestamp(*event.timestamp_ns) : "";
}

}  // namespace

TEST_CASE("RFC 8428 section 5.1.1: a single data point") {
  const auto events = Read(R"([{"n":"urn:dev:ow:10e2073a01080063","u":"Cel","v":23.1}])");
  REQUIRE(events.size() == 1);
  CHECK(events[0].name_space == "default");
  CHECK(events[0].sender == "urn:dev:ow:10e2073a01080063");
  CHECK(events[0].origin == "urn:dev:ow:10e2073a01080063");
  CHECK(PayloadOf(events[0]) == R"({"type":"Cel","value":23.1,"unit":"Cel"})");
  CHECK_FALSE(events[0].timestamp_ns.has_value());
  CHECK(events[0].arrival_offset_ns == 0);
}

TEST_CASE("RFC 8428 section 5.1.2: several data points") {
  const auto events = Read(R"([
    {"bn":"urn:dev:ow:10e2073a01080063:","n":"voltage","u":"V","v":120.1},
    {"n":"current","u":"A","v":1.2}])");
  REQUIRE(events.size() == 2);
  for (const Event& event : events) CHECK(event.origin == "urn:dev:ow:10e2073a01080063");
  CHECK(PayloadOf(events[0]) == R"({"type":"voltage","value":120.1,"unit":"V"})");
  CHECK(PayloadOf(events[1]) == R"({"type":"current","value":1.2,"unit":"A"})");
}

TEST_CASE("RFC 8428 section 5.1.2: base time and a version") {
  const auto events = Read(R"([
    {"bn":"urn:dev:ow:10e2073a0108006:","bt":1.276020076001e+09,"bu":"A","bver":5,
     "n":"voltage","u":"V","v":120.1},
    {"n":"current","t":-5,"v":1.2},
    {"n":"current","t":-4,"v":1.3},
    {"n":"current","v":1.7}])");
  REQUIRE(events.size() == 4);
  CHECK(TimeOf(events[0]) == "2010-06-08T18:01:16.001Z");
  CHECK(TimeOf(events[1]) == "2010-06-08T18:01:11.001Z");
  CHECK(TimeOf(events[3]) == "2010-06-08T18:01:16.001Z");
  CHECK(PayloadOf(events[0]) == R"({"type":"voltage","value":120.1,"unit":"V"})");
  CHECK(PayloadOf(events[1]) == R"({"type":"current","value":1.2,"unit":"A"})");
}

TEST_CASE("RFC 8428 section 5.1.3: several measurements, each with a name of its own") {
  const auto events = Read(R"([
    {"bn":"urn:dev:ow:10e2073a01080063","bt":1.320067464e+09,"bu":"%RH","v":20},
    {"u":"lon","v":24.30621},
    {"u":"lat","v":60.07965},
    {"t":60,"v":20.3},
    {"u":"lon","t":60,"v":24.30622},
    {"n":"_batt","u":"%EL","t":150,"v":98}])");
  REQUIRE(events.size() == 6);
  CHECK(PayloadOf(events[0]) == R"({"type":"%RH","value":20,"unit":"%RH"})");
  CHECK(PayloadOf(events[1]) == R"({"type":"lon","value":24.30621,"unit":"lon"})");
  CHECK(PayloadOf(events[3]) == R"({"type":"%RH","value":20.3,"unit":"%RH"})");
  CHECK(TimeOf(events[3]) == "2011-10-31T13:25:24Z");
  CHECK(events[5].origin == "urn:dev:ow:10e2073a01080063");
  CHECK(PayloadOf(events[5]) == R"({"type":"batt","value":98,"unit":"%EL"})");
}

TEST_CASE("RFC 8428 section 5.1.5: values of other types") {
  const auto events = Read(R"([
    {"bn":"urn:dev:ow:10e2073a01080063:","n":"temp","u":"Cel","v":23.1},
    {"n":"label","vs":"Machine Room"},
    {"n":"open","vb":false},
    {"n":"nfc-reader","vd":"aGkgCg"}])");
  REQUIRE(events.size() == 4);
  CHECK(PayloadOf(events[1]) == R"({"type":"label","value":"Machine Room"})");
  CHECK(PayloadOf(events[2]) == R"({"type":"open","value":false})");
  CHECK(PayloadOf(events[3]) == R"({"type":"nfc-reader","value":"aGkgCg","encoding":"base64url"})");
}

TEST_CASE("RFC 8428 section 5.1.6: a collection of resources") {
  const auto events = Read(R"([
    {"bn":"2001:db8::2/","bt":1.320078429e+09,"n":"temperature","u":"Cel","v":25.2},
    {"n":"humidity","u":"%RH","v":30},
    {"bn":"2001:db8::1/","n":"temperature","u":"Cel","v":12.3},
    {"n":"humidity","u":"%RH","v":67}])");
  REQUIRE(events.size() == 4);
  CHECK(events[1].origin == "2001:db8::2");
  CHECK(events[3].origin == "2001:db8::1");
  CHECK(events[3].sender == "2001:db8::1");
  CHECK(PayloadOf(events[3]) == R"({"type":"humidity","value":67,"unit":"%RH"})");
}

TEST_CASE("a name is the device's part and the quantity") {
  struct Case {
    const char* name;
    const char* origin;
    const char* type;
  };
  const Case named = GENERATE(values<Case>({
      {"urn:dev:mac:0024befffe804ff1/temperature", "urn:dev:mac:0024befffe804ff1", "temperature"},
      {"urn:dev:os:32473-123_cpu_load", "urn:dev:os:32473-123", "cpu_load"},
      {"urn:dev:ow:10e2073a01080063", "urn:dev:ow:10e2073a01080063", "value"},
      {"urn:dev:broken", "urn:dev:broken", "value"},
      {"room1/lamp/power", "room1/lamp", "power"},
      {"room1:power", "room1", "power"},
      {"a:b:c", "a:b", "c"},
      {"probe1", "probe1", "value"},
      {"probe1/", "probe1", "value"},
      {"cpu_load", "cpu_load", "value"},
  }));
  const Event event = Read(std::string(R"([{"v":1,"n":")").append(named.name).append("\"}]")).at(0);
  CAPTURE(named.name);
  CHECK(event.origin == named.origin);
  CHECK(event.sender == named.origin);
  CHECK(event.type == named.type);
}

TEST_CASE("times below 2^28 count from arrival, others from 1970") {
  const auto time = [](std::string_view fields) {
    return Read(std::string(R"([{"n":"a","v":1,)").append(fields).append("}]")).at(0);
  };
  CHECK(time(R"("t":-5)").arrival_offset_ns == -5'000'000'000);
  CHECK(time(R"("t":-0.25)").arrival_offset_ns == -250'000'000);
  CHECK(time(R"("bt":-10,"t":4)").arrival_offset_ns == -6'000'000'000);
  CHECK(time(R"("t":268435455)").arrival_offset_ns == 268'435'455'000'000'000);
  CHECK(TimeOf(time(R"("t":268435455)")).empty());
  CHECK(TimeOf(time(R"("t":268435456)")) == "1978-07-04T21:24:16Z");
  CHECK(TimeOf(time(R"("bt":268435450,"t":6)")) == "1978-07-04T21:24:16Z");
  CHECK(TimeOf(time(R"("bt":1527862104.772,"t":0.1)")) == "2018-06-01T14:08:24.872Z");
}

TEST_CASE("base value and sum are added") {
  CHECK(PayloadOf(R"([{"n":"a","bv":20,"v":3}])") == R"({"type":"value","value":23})");
  CHECK(PayloadOf(R"([{"n":"a","bv":20}])") == R"({"type":"value","value":20})");
  CHECK(PayloadOf(R"([{"n":"a","bv":20.5,"v":3}])") == R"({"type":"value","value":23.5})");
  CHECK(PayloadOf(R"([{"n":"a","bv":9223372036854775807,"v":1}])") ==
        R"({"type":"value","value":9223372036854775808})");
  CHECK(PayloadOf(R"([{"n":"a","v":18446744073709551615}])") ==
        R"({"type":"value","value":18446744073709551615})");
  CHECK(PayloadOf(R"([{"n":"a","bv":20,"vs":"x"}])") == R"({"type":"value","value":"x"})");
  CHECK(PayloadOf(R"([{"n":"a","v":1,"s":5}])") == R"({"type":"value","value":1,"sum":5})");
  CHECK(PayloadOf(R"([{"n":"a","v":1,"s":5,"bs":2}])") == R"({"type":"value","value":1,"sum":7})");
  CHECK(PayloadOf(R"([{"n":"a","s":5}])") == R"({"type":"value","value":5,"sum":5})");
  CHECK(PayloadOf(R"([{"n":"a","v":1,"ut":60}])") ==
        R"({"type":"value","value":1,"update_time":60})");
}

TEST_CASE("base fields hold for later records, not for earlier ones") {
  const auto events = Read(R"([{"n":"a","v":1},{"bn":"d/","bu":"V","n":"a","v":1},
                               {"n":"b","v":1},{"bu":"","n":"c","v":1}])");
  CHECK(events[0].origin == "a");
  CHECK(PayloadOf(events[0]) == R"({"type":"value","value":1})");
  CHECK(events[2].origin == "d");
  CHECK(PayloadOf(events[2]) == R"({"type":"b","value":1,"unit":"V"})");
  CHECK(PayloadOf(events[3]) == R"({"type":"c","value":1})");
}

TEST_CASE("unknown fields are kept, but not where they must be understood") {
  CHECK(PayloadOf(R"([{"n":"a","v":1,"x":{"y":[1]},"9":2}])") ==
        R"({"type":"value","value":1,"9":2,"x":{"y":[1]}})");
  CHECK(DiagnosticOf(R"([{"n":"a","v":1,"x_":1}])") == "[0].x_ must be understood, and is not");
  CHECK(DiagnosticOf(R"([{"n":"a","v":1,"type":1}])") == "[0].type is no label of SenML");
  CHECK(DiagnosticOf(R"([{"n":"a","v":1,"x":1,"x":1}])") == "[0].x has a member twice");
}

TEST_CASE("what is wrong in a pack is named") {
  CHECK(DiagnosticOf("{}") == "pack is no array");
  CHECK(DiagnosticOf("[]") == "pack has no records");
  CHECK(DiagnosticOf("[{") == "not JSON: commas, colons, braces or quotes are wrong");
  CHECK(DiagnosticOf(R"([{"n":"a","v":1},7])") == "[1].record is not an object");
  CHECK(DiagnosticOf(R"([{"n":"a"}])") == "[0].record has no value");
  CHECK(DiagnosticOf(R"([{"v":1}])") == "[0].n is missing");
  CHECK(DiagnosticOf(R"([{"n":"a","v":1,"vs":"x"}])") == "[0].record has two values");
  CHECK(DiagnosticOf(R"([{"n":"a","v":1,"vb":true}])") == "[0].record has two values");
  CHECK(DiagnosticOf(R"([{"n":"a","vd":"","vs":""}])") == "[0].record has two values");
  CHECK(DiagnosticOf(R"([{"n":"a","v":1,"v":1}])") == "[0].v is there twice");
  CHECK(DiagnosticOf(R"([{"n":"a","v":"1"}])") == "[0].v is not a number");
  CHECK(DiagnosticOf(R"([{"n":"a","v":null}])") == "[0].v is not a number");
  CHECK(DiagnosticOf(R"([{"n":"a","vb":1}])") == "[0].vb is not a boolean");
  CHECK(DiagnosticOf(R"([{"n":"a","vs":1}])") == "[0].vs is not a string");
  CHECK(DiagnosticOf(R"([{"n":"a","vd":"a+b/"}])") == "[0].vd is not base64url without padding");
  CHECK(DiagnosticOf(R"([{"n":"a","vd":"YQ=="}])") == "[0].vd is not base64url without padding");
  CHECK(DiagnosticOf(R"([{"n":"a","vd":"YQABC"}])") == "[0].vd is not base64url without padding");
  CHECK(DiagnosticOf(R"([{"n":1,"v":1}])") == "[0].n is not a string");
  CHECK(DiagnosticOf(R"([{"n":"-a","v":1}])") == "[0].n is no SenML name");
  CHECK(DiagnosticOf(R"([{"n":"a b","v":1}])") == "[0].n is no SenML name");
  CHECK(DiagnosticOf(R"([{"n":"é","v":1}])") == "[0].n is no SenML name");
  CHECK(DiagnosticOf(R"([{"n":"a","u":7,"v":1}])") == "[0].u is not a string");
  CHECK(DiagnosticOf(R"([{"n":"a","t":"now","v":1}])") == "[0].t is not a number");
  CHECK(DiagnosticOf(R"([{"n":"a","t":1e300,"v":1}])") == "[0].t is out of range");
  CHECK(DiagnosticOf(R"([{"n":"a","t":-9e9,"v":1}])") == "[0].t is out of range");
  CHECK(DiagnosticOf(R"([{"n":"a","bt":9e9,"t":9e9,"v":1}])") == "[0].t is out of range");
  CHECK(DiagnosticOf(R"([{"n":"a","bv":1e308,"v":1e308}])") == "[0].v is out of range");
  CHECK(DiagnosticOf(R"([{"n":"a","v":1,"bs":1e308,"s":1e308}])") == "[0].s is out of range");
  CHECK(DiagnosticOf(R"([{"n":"a","bver":11,"v":1}])") == "[0].bver is higher than 10");
  CHECK(DiagnosticOf(R"([{"n":"a","bver":0,"v":1}])") == "[0].bver is no positive integer");
  CHECK(DiagnosticOf(R"([{"n":"a","bver":1.5,"v":1}])") == "[0].bver is no positive integer");
  CHECK(DiagnosticOf(R"([{"v":1,"n":")" + std::string(257, 'a') + "\"}]") ==
        "[0].n's device is longer than 256 bytes");
  CHECK(DiagnosticOf(R"([{"v":1,"n":"a/)" + std::string(257, 'a') + "\"}]") ==
        "[0].n's quantity is longer than 256 bytes");
  CHECK(DiagnosticOf(R"([{"v":1,"n":"a","u":"\u0000"}])") ==
        "[0].n's quantity has a control character");
}

TEST_CASE("a pack has a thousand records at most") {
  std::string pack = R"([{"n":"a","v":1})";
  for (int i = 0; i < 999; ++i) pack += R"(,{"n":"a","v":1})";
  CHECK(Read(pack + "]").size() == 1'000);
  CHECK(DiagnosticOf(pack + R"(,{"n":"a","v":1}])") == "more than 1000 records");
}

}  // namespace collector
