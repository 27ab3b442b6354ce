#include "client/body.h"

#include "event/event_decoder.h"
#include "tests/unit/catch.h"

namespace collector::client {
namespace {

Event Reading(Json value) {
  Event event;
  event.name_space = "default";
  event.sender = "probe1";
  event.origin = "probe1";
  event.type = "temperature";
  event.value = std::move(value);
  event.timestamp_ns = 1'527'862'104'772'001'000;
  return event;
}

EventFormat FormatOf(BodyFormat format) {
  switch (format) {
    case BodyFormat::kCbor:
      return EventFormat::kCbor;
    case BodyFormat::kSenmlJson:
      return EventFormat::kSenmlJson;
    case BodyFormat::kSenmlCbor:
      return EventFormat::kSenmlCbor;
    default:
      return EventFormat::kJson;
  }
}

TEST_CASE("what is written is read back as the same event") {
  for (const BodyFormat format :
       {BodyFormat::kJson, BodyFormat::kCbor, BodyFormat::kSenmlJson, BodyFormat::kSenmlCbor}) {
    for (const Json& value : {Json(21.5), Json(-3), Json(70'000), Json(true), Json("warm")}) {
      INFO(MediaTypeOf(format) << " " << value.dump());
      Event event = Reading(value);
      event.extra = {{"unit", "Cel"}};
      const auto body = EncodeBody(event, format);
      REQUIRE(body.ok());
      EventDecoder decoder;
      std::string diagnostic;
      if (!decoder.Decode(FormatOf(format), body.value(), &diagnostic)) FAIL(diagnostic);
      REQUIRE(decoder.events().size() == 1);
      const Event& read = decoder.events().front();
      CHECK(read.origin == event.origin);
      CHECK(read.sender == event.sender);
      CHECK(read.type == event.type);
      CHECK(read.value == event.value);
      CHECK(read.extra == event.extra);
      CHECK(read.timestamp_ns == event.timestamp_ns);
    }
  }
}

TEST_CASE("SenML refuses what it cannot say") {
  const auto fails = [](const Event& event) {
    return !EncodeBody(event, BodyFormat::kSenmlJson).ok() &&
           !EncodeBody(event, BodyFormat::kSenmlCbor).ok();
  };
  CHECK_FALSE(fails(Reading(1)));
  CHECK(fails(Reading(Json::array({1, 2}))));
  CHECK(fails(Reading(Json::object({{"lat", 40.4}}))));
  Event event = Reading(1);
  event.client_id = "a";
  CHECK(fails(event));
  event = Reading(1);
  event.extra = {{"accuracy", 2}};
  CHECK(fails(event));
  event = Reading(1);
  event.type = "a/b";
  CHECK(fails(event));
  event = Reading(1);
  event.timestamp_ns = 1'000'000'000;  // SenML takes so small a time as relative
  CHECK(fails(event));
}

}  // namespace
}  // namespace collector::client
