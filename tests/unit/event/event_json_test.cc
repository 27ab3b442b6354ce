#include "event/event_json.h"

#include "tests/unit/catch.h"

namespace collector {
namespace {

constexpr const char* kThesis =
    R"({"namespace":"default","sender":"demoMemoria","origin":"probe1",)"
    R"("payload":{"type":"temperature","value":16.5},"timestamp":"2018-06-01T14:08:24.772Z"})";

// The thesis' event with one part replaced.
std::string With(const std::string& part, const std::string& replacement) {
  std::string text = kThesis;
  const std::size_t at = text.find(part);
  REQUIRE(at != std::string::npos);
  return text.replace(at, part.size(), replacement);
}

std::string DiagnosticOf(const std::string& text) {
  EventList events;
  std::string diagnostic;
  CHECK_FALSE(EventJsonDecoder().Decode(text, Timestamps::kText, &events, &diagnostic));
  CHECK(diagnostic.size() <= 64);
  return diagnostic;
}

std::string PayloadOf(const std::string& payload) {
  EventList events;
  std::string diagnostic;
  const std::string text = With(R"({"type":"temperature","value":16.5})", payload);
  INFO(text);
  const bool decoded = EventJsonDecoder().Decode(text, Timestamps::kText, &events, &diagnostic);
  INFO(diagnostic);
  REQUIRE(decoded);
  std::string out;
  AppendPayloadJson(events.events()[0], &out);
  return out;
}

}  // namespace

TEST_CASE("the thesis' event is read and written back to the letter") {
  EventList events;
  std::string diagnostic;
  REQUIRE(EventJsonDecoder().Decode(kThesis, Timestamps::kText, &events, &diagnostic));
  REQUIRE(events.size() == 1);
  const Event& event = events.events()[0];
  CHECK(event.name_space == "default");
  CHECK(event.sender == "demoMemoria");
  CHECK(event.origin == "probe1");
  CHECK(event.type == "temperature");
  CHECK(event.value == 16.5);
  CHECK(event.timestamp_ns == 1'527'862'104'772'000'000);
  CHECK(event.client_id.empty());
  CHECK(EncodeEventJson(event) == kThesis);
}

TEST_CASE("a decoder's event keeps nothing of the one before") {
  EventList events;
  std::string diagnostic;
  EventJsonDecoder decoder;
  REQUIRE(decoder.Decode(With(R"("value":16.5})", R"("value":1,"unit":"C"},"id":"a")"),
                         Timestamps::kText, &events, &diagnostic));
  CHECK(events.events()[0].client_id == "a");
  REQUIRE(decoder.Decode(With(R"(,"timestamp":"2018-06-01T14:08:24.772Z")", ""), Timestamps::kText,
                         &events, &diagnostic));
  REQUIRE(events.size() == 1);
  const Event& event = events.events()[0];
  CHECK(event.client_id.empty());
  CHECK(event.extra.is_null());
  CHECK_FALSE(event.timestamp_ns.has_value());
}

TEST_CASE("values of every kind are kept") {
  CHECK(PayloadOf(R"({"type":"t","value":-3})") == R"({"type":"t","value":-3})");
  CHECK(PayloadOf(R"({"type":"t","value":18446744073709551615})") ==
        R"({"type":"t","value":18446744073709551615})");
  CHECK(PayloadOf(R"({"type":"t","value":true})") == R"({"type":"t","value":true})");
  CHECK(PayloadOf(R"({"type":"t","value":"\u00e9\n"})") == "{\"type\":\"t\",\"value\":\"é\\n\"}");
  CHECK(PayloadOf(R"({"type":"t","value":[1,[2,{"a":null}],"x"]})") ==
        R"({"type":"t","value":[1,[2,{"a":null}],"x"]})");
  CHECK(PayloadOf(R"({"type":"position","value":{"lon":2.17,"lat":41.38}})") ==
        R"({"type":"position","value":{"lat":41.38,"lon":2.17}})");
  CHECK(PayloadOf(R"({"type":"t","value":{}})") == R"({"type":"t","value":{}})");
}

TEST_CASE("equal payloads have one canonical form") {
  const std::string canonical = R"({"type":"t","value":16.5,"accuracy":0.1,"unit":"C"})";
  CHECK(PayloadOf(R"({"unit":"C","value":1.65e1,"accuracy":1e-1,"type":"t"})") == canonical);
  CHECK(PayloadOf(R"({"type":"t","value":16.50,"accuracy":0.10,"unit":"\u0043"})") == canonical);
}

TEST_CASE("a number beyond 64 bits is written as one that can be read again") {
  for (const std::string number : {"2.213609288845146e+19", "-9.876543210987653e+18"}) {
    const std::string canonical = R"({"type":"t","value":)" + number + "}";
    CHECK(PayloadOf(canonical) == canonical);
  }
}

TEST_CASE("each missing or wrong member is named") {
  CHECK(DiagnosticOf(With(R"("namespace":"default",)", "")) == "namespace is missing");
  CHECK(DiagnosticOf(With(R"("sender":"demoMemoria",)", "")) == "sender is missing");
  CHECK(DiagnosticOf(With(R"("origin":"probe1",)", "")) == "origin is missing");
  CHECK(DiagnosticOf(With(R"("type":"temperature",)", "")) == "payload.type is missing");
  CHECK(DiagnosticOf(With(R"(,"value":16.5)", "")) == "payload.value is missing");
  CHECK(DiagnosticOf(With(R"("default")", "7")) == "namespace is not a string");
  CHECK(DiagnosticOf(With(R"("probe1")", "[]")) == "origin is not a string");
  CHECK(DiagnosticOf(With(R"("probe1")", "{}")) == "origin is not a string");
  CHECK(DiagnosticOf(With(R"("probe1")", "null")) == "origin is not a string");
  CHECK(DiagnosticOf(With(R"("temperature")", "true")) == "payload.type is not a string");
  CHECK(DiagnosticOf(With("16.5", "null")) == "payload.value is null");
  CHECK(DiagnosticOf(With(R"({"type":"temperature","value":16.5})", "3")) ==
        "payload is not an object");
  CHECK(DiagnosticOf(With(R"("probe1")", R"("")")) == "origin is empty");
  CHECK(DiagnosticOf(With("probe1", std::string(257, 'x'))) == "origin is longer than 256 bytes");
  CHECK(DiagnosticOf(With("probe1", "a\\nb")) == "origin has a control character");
  CHECK(DiagnosticOf(With("2018-06-01T14:08:24.772Z", "yesterday")) ==
        "timestamp is not RFC 3339, 1970 to 2261");
  CHECK(DiagnosticOf(With("timestamp", "timestmap")) == "timestmap is no member of an event");
  CHECK(DiagnosticOf(With(R"("origin")", R"("sender")")) == "sender is there twice");
  CHECK(DiagnosticOf(With(R"("value":16.5)", R"("value":1,"value":2)")) ==
        "payload.value is there twice");
  CHECK(DiagnosticOf(With("16.5", R"({"a":1,"a":2})")) == "payload has a member twice");
}

TEST_CASE("what is not one JSON object is refused with the place") {
  CHECK(DiagnosticOf("42") == "event is not an object");
  CHECK(DiagnosticOf("{") == "not JSON: commas, colons, braces or quotes are wrong");
  CHECK(DiagnosticOf(std::string(kThesis) + "x").starts_with("not JSON"));
  CHECK(DiagnosticOf(std::string(kThesis) + "{}").starts_with("not JSON"));
  CHECK(DiagnosticOf("\xef\xbb\xbf" + std::string(kThesis)).starts_with("not JSON"));
  CHECK(DiagnosticOf(With(",", ",,")).starts_with("not JSON"));
  CHECK(DiagnosticOf(With("16.5", "016.5")).starts_with("not JSON"));
  CHECK(DiagnosticOf(With("16.5", "+16.5")).starts_with("not JSON"));
  CHECK(DiagnosticOf(With("16.5", "'x'")).starts_with("not JSON"));
  CHECK(DiagnosticOf(With("probe1", "a\nb")).starts_with("not JSON: control"));
  CHECK(DiagnosticOf(With("16.5", "NaN")).starts_with("not JSON"));
  CHECK(DiagnosticOf(With("16.5", "1e999")) == "not JSON: not a number, or out of range");
  CHECK(DiagnosticOf(With("probe1", "\xff\xfe")) == "not JSON: not UTF-8");
  CHECK(DiagnosticOf(With("probe1", "\xed\xa0\x80")).starts_with("not JSON"));
  CHECK(DiagnosticOf(std::string("{\"a\0", 4)).starts_with("not JSON"));
}

TEST_CASE("nesting ends at sixteen levels, and a deeper one costs nothing") {
  const auto nested = [](std::size_t levels) {
    return With("16.5", std::string(levels, '[') + std::string(levels, ']'));
  };
  EventList events;
  std::string diagnostic;
  CHECK(EventJsonDecoder().Decode(nested(14), Timestamps::kText, &events, &diagnostic));
  CHECK(DiagnosticOf(nested(15)) == "payload is nested deeper than 16");
  CHECK(DiagnosticOf(With("16.5", std::string(1'000'000, '['))).starts_with("not JSON"));
  CHECK(DiagnosticOf(nested(100'000)).starts_with("not JSON: nested too deep"));
}

TEST_CASE("an array is read whole, and what is wrong in it is named with its place") {
  const std::string event = kThesis;
  EventList events;
  std::string diagnostic;
  EventJsonDecoder decoder;
  REQUIRE(decoder.Decode("[" + event + "," + With("probe1", "probe2") + "]", Timestamps::kText,
                         &events, &diagnostic));
  REQUIRE(events.size() == 2);
  CHECK(EncodeEventJson(events.events()[0]) == event);
  CHECK(events.events()[1].origin == "probe2");
  CHECK(DiagnosticOf("[]") == "array has no events");
  CHECK(DiagnosticOf("[" + event + ",7]") == "[1].event is not an object");
  CHECK(DiagnosticOf("[" + event + ",[" + event + "]]") == "[1].event is not an object");
  CHECK(DiagnosticOf("[" + event + "," + event + "," + With("16.5", "null") + "]") ==
        "[2].payload.value is null");
}

TEST_CASE("a body has a thousand events at most") {
  const auto array_of = [](std::size_t count) {
    std::string text = "[";
    for (std::size_t i = 0; i < count; ++i) text.append(i > 0 ? "," : "").append(kThesis);
    return text.append("]");
  };
  EventList events;
  std::string diagnostic;
  CHECK(EventJsonDecoder().Decode(array_of(1'000), Timestamps::kText, &events, &diagnostic));
  CHECK(events.size() == 1'000);
  CHECK(DiagnosticOf(array_of(1'001)) == "more than 1000 events");
}

TEST_CASE("a diagnostic gives nothing back that could hurt a terminal") {
  CHECK(DiagnosticOf("{\"\\u001b[31m\":1}") == "?[31m is no member of an event");
  CHECK(DiagnosticOf("{\"" + std::string(500, 'k') + "\":1}").size() <= 64);
}

}  // namespace collector
