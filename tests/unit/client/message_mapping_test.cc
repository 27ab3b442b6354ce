#include "client/message_mapping.h"

#include <map>

#include "tests/unit/catch.h"

namespace collector::client {
namespace {

constexpr std::int64_t kArrival = 1'600'000'000'000'000'000;

Result<std::vector<Event>> Read(const MappingOptions& options, std::string_view topic,
                                std::string_view payload) {
  const auto mapping = MessageMapping::Create(options);
  REQUIRE(mapping.ok());
  return mapping.value().Read(topic, payload, kArrival);
}

// Type to value; all events have this origin and time.
std::map<std::string, Json> Values(const Result<std::vector<Event>>& events,
                                   const std::string& origin, std::int64_t timestamp_ns) {
  REQUIRE(events.ok());
  std::map<std::string, Json> values;
  for (const Event& event : events.value()) {
    CHECK(event.origin == origin);
    CHECK(event.timestamp_ns == timestamp_ns);
    CHECK(values.emplace(event.type, event.value).second);
  }
  return values;
}

std::string WhyNot(const MappingOptions& options) {
  const auto mapping = MessageMapping::Create(options);
  REQUIRE_FALSE(mapping.ok());
  return mapping.error().message;
}

TEST_CASE("a payload that is one value is one event, named by its topic") {
  CHECK(Values(Read({}, "sensors/probe1/temperature", "21.5"), "sensors/probe1/temperature",
               kArrival) == std::map<std::string, Json>{{"temperature", 21.5}});
  const MappingOptions levels{.origin = "{topic[1]}", .type = "{topic[-1]}"};
  CHECK(Values(Read(levels, "sensors/probe1/state", "ON"), "probe1", kArrival) ==
        std::map<std::string, Json>{{"state", "ON"}});
  CHECK(Values(Read(levels, "sensors/probe1/list", "[1,2]"), "probe1", kArrival) ==
        std::map<std::string, Json>{{"list", {1, 2}}});
}

TEST_CASE("each value of an object is an event: Zigbee2MQTT") {
  const MappingOptions options{.origin = "{topic[1]}", .timestamp = "/last_seen"};
  CHECK(Values(Read(options, "zigbee2mqtt/kitchen",
                    R"({"temperature":21.5,"occupancy":true,"action":null,)"
                    R"("update":{"state":"idle"},"last_seen":"2020-09-13T12:26:41Z"})"),
               "kitchen", kArrival + 1'000'000'000) ==
        std::map<std::string, Json>{
            {"temperature", 21.5}, {"occupancy", true}, {"update.state", "idle"}});
}

TEST_CASE("objects within objects, a time without zone: Tasmota") {
  const MappingOptions options{
      .origin = "{topic[1]}", .timestamp = "/Time", .utc_offset = "+02:00"};
  CHECK(Values(Read(options, "tele/plug/SENSOR",
                    R"({"Time":"2020-09-13T14:26:41","ENERGY":{"Power":5,"Voltage":230}})"),
               "plug", kArrival + 1'000'000'000) ==
        std::map<std::string, Json>{{"ENERGY.Power", 5}, {"ENERGY.Voltage", 230}});
}

TEST_CASE("values that are picked: Shelly") {
  const MappingOptions options{.origin = "{payload/src}",
                               .values = {"power=/params/switch:0/apower", "/params/missing"},
                               .timestamp = "/params/ts"};
  CHECK(Values(Read(options, "shelly/events/rpc",
                    R"({"src":"plug7","params":{"ts":1600000001.5,"switch:0":{"apower":3.2}}})"),
               "plug7", kArrival + 1'500'000'000) == std::map<std::string, Json>{{"power", 3.2}});
}

TEST_CASE("a place in an array, and in a name with a slash") {
  const MappingOptions options{.values = {"/a~1b/1", "tilde=/~0"}};
  CHECK(Values(Read(options, "t", R"({"a/b":[5,6],"~":7})"), "t", kArrival) ==
        std::map<std::string, Json>{{"a/b.1", 6}, {"tilde", 7}});
}

TEST_CASE("a message without values has no events, a wrong one an error") {
  CHECK(Read({}, "t", "").value().empty());
  CHECK(Read({}, "t", "{}").value().empty());
  CHECK(Read({.values = {"/a"}}, "t", "21.5").value().empty());
  CHECK_FALSE(Read({}, "t", "{broken").ok());
  CHECK_FALSE(Read({}, "t", "null").ok());
  CHECK_FALSE(Read({}, "t", "\xff").ok());
  CHECK_FALSE(Read({.timestamp = "/t"}, "t", R"({"t":"noon","v":1})").ok());
  CHECK(Read({.origin = "{topic[3]}"}, "a/b", "1").error().message ==
        "the topic has no level {topic[3]}");
  CHECK(Read({.origin = "{payload/id}"}, "a/b", "1").error().message ==
        "the payload has no {payload/id}");
}

TEST_CASE("a payload that is nested without end is an error") {
  const auto nested = [](int levels) {
    std::string payload;
    for (int i = 0; i < levels; ++i) payload += "{\"a\":";
    return payload + "1" + std::string(static_cast<std::size_t>(levels), '}');
  };
  CHECK(Read({}, "t", nested(64)).value().size() == 1);
  CHECK_FALSE(Read({}, "t", nested(66)).ok());
  CHECK_FALSE(Read({}, "t", nested(100'000)).ok());
}

TEST_CASE("options that cannot be meant are told") {
  CHECK(WhyNot({.origin = "{topics}"}) ==
        "--origin: '{topics}' is not {topic}, {topic[0]}, {payload}, {payload/pointer} or {key}");
  CHECK(WhyNot({.type = "a{key"}) == "--type: a brace is left open in 'a{key'");
  CHECK(WhyNot({.type = ""}) == "--type: '' names nothing");
  CHECK(WhyNot({.values = {"temperature"}}) ==
        "--value: 'temperature' is no JSON pointer, like /temperature or /sensor/0/value");
  CHECK(WhyNot({.timestamp = "/a~2"}) ==
        "--timestamp: '/a~2': ~ must be ~0, and / within a name ~1");
  CHECK_FALSE(MessageMapping::Create({.timestamp_format = "iso"}).ok());
}

}  // namespace
}  // namespace collector::client
