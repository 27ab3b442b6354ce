// The parts around the fleet: requests, answers, the histogram, what is said of them.
#include <string>
#include <vector>

#include "client/load/answer_reader.h"
#include "client/load/histogram.h"
#include "client/load/report.h"
#include "client/load/request_maker.h"
#include "event/event_json.h"
#include "event/timestamp.h"
#include "tests/unit/catch.h"

namespace collector::client {
namespace {

TEST_CASE("a request carries an event that the collector's decoder reads") {
  auto maker = RequestMaker::Create({.name_space = "a\"b",
                                     .sender = "s",
                                     .origin_prefix = "probe-",
                                     .type = "t",
                                     .values = {"21.5", R"({"lat":1})"}})
                   .value();
  std::vector<std::uint8_t> bytes(maker.bytes_max());
  bytes.resize(
      maker.Make({.device = 123'456, .value = 1, .time_us = 1'543'000'001'000'042}, bytes.data()));
  StampExchange(0x04030201, 0x1234, bytes.data());
  CHECK(std::vector<std::uint8_t>(bytes.begin(), bytes.begin() + 8) ==
        std::vector<std::uint8_t>{0x44, 2, 0x12, 0x34, 1, 2, 3, 4});
  EventJsonDecoder decoder;
  EventList events;
  std::string diagnostic;
  const std::string json(bytes.begin() + 18, bytes.end());
  REQUIRE(decoder.Decode(json, Timestamps::kText, &events, &diagnostic));
  REQUIRE(events.size() == 1);
  CHECK(events.events()[0].name_space == "a\"b");
  CHECK(events.events()[0].origin == "probe-123456");
  CHECK(events.events()[0].timestamp_ns == 1'543'000'001'000'042'000);
  CHECK(events.events()[0].value == Json{{"lat", 1}});
  CHECK(maker.Make({.value = 0, .confirmable = false}, bytes.data()) < bytes.size());
  CHECK(bytes[0] == 0x54);
}

TEST_CASE("an event that fits into no datagram is refused") {
  const auto made = RequestMaker::Create({.values = {"\"" + std::string(1'100, 'x') + "\""}});
  REQUIRE_FALSE(made.ok());
  CHECK(made.error().message.find("1152") != std::string::npos);
}

TEST_CASE("Max-Age is found behind other options, and nothing is read beyond the end") {
  const std::vector<std::uint8_t> answer = {0x64, 0xA3, 0,    1,    9,
                                            9,    9,    9,    0xC1, 50,  // Content-Format (12)
                                            0x22, 0x01, 0x00,            // Max-Age (14): 256
                                            0xFF, 'n',  'o'};
  CHECK(ReadMaxAge(answer) == 256U);
  for (std::size_t size = 0; size < 13; ++size) {
    CHECK_FALSE(ReadMaxAge({answer.data(), size}).has_value());
  }
  const std::vector<std::uint8_t> none = {0x60, 0x45, 0, 1, 0xFF, 0xE1, 1};
  CHECK_FALSE(ReadMaxAge(none).has_value());
  CHECK_FALSE(ReadAnswer({answer.data(), 3}).has_value());
  CHECK(ReadAnswer(answer)->token.has_value());
  CHECK_FALSE(ReadAnswer({answer.data(), 7})->token.has_value());
}

TEST_CASE("a quantile is less than 1 % off") {
  Histogram histogram;
  for (int us = 1; us <= 100'000; ++us) histogram.Record(us * 1'000);
  for (const double fraction : {0.5, 0.9, 0.99, 0.999}) {
    const double exact = fraction * 1e8;
    const double quantile = static_cast<double>(histogram.Quantile(fraction));
    CHECK(quantile >= exact * 0.99);
    CHECK(quantile <= exact * 1.01);
  }
  CHECK(histogram.max() == 100'000'000);
}

TEST_CASE("a progress line fits its terminal") {
  const Progress progress{.done = 0.5,
                          .events_per_s = 1'234'567,
                          .sent = 30,
                          .stored = 12,
                          .failed = 3,
                          .in_flight = 15,
                          .seconds = 2};
  const std::string line = ProgressLine(progress, 200);
  CHECK(line.find("[############------------] 50 %  2 s  1,234,567/s") == 0);
  CHECK(line.find("12 of 30 stored, 3 not, 15 in flight") != std::string::npos);
  CHECK(ProgressLine(progress, 40).size() == 39);
  CHECK(ProgressLine({.done = -1}, 80)[0] != '[');
}

TEST_CASE("the exit status tells the worst that became of an event") {
  FleetReport report;
  report.sent = 3;
  report.outcomes = {3, 0, 0, 0};
  CHECK(TallyOf(report).ExitStatus() == 0);
  report.outcomes = {1, 1, 1, 0};
  CHECK(TallyOf(report).ExitStatus() == 4);
  report.outcomes = {1, 1, 0, 0};  // one is still open
  CHECK(TallyOf(report).ExitStatus() == 5);
}

}  // namespace
}  // namespace collector::client
