#include "event/timestamp.h"

#include "tests/unit/catch.h"

using collector::FormatTimestamp;
using collector::NanosecondsOf;
using collector::ParseTimestamp;

TEST_CASE("a timestamp is read to the nanosecond and written back") {
  const std::string text =
      GENERATE("1970-01-01T00:00:00Z", "2018-06-01T14:08:24.772Z", "2024-02-29T23:59:59.000001Z",
               "2261-12-31T23:59:59.999999999Z");
  const auto ns = ParseTimestamp(text);
  REQUIRE(ns.has_value());
  CHECK(FormatTimestamp(*ns) == text);
}

TEST_CASE("equal moments are equal, however they are written") {
  CHECK(ParseTimestamp("2018-06-01T14:08:24.772Z") == 1'527'862'104'772'000'000);
  CHECK(ParseTimestamp("2018-06-01T16:08:24.772+02:00") == 1'527'862'104'772'000'000);
  CHECK(ParseTimestamp("2018-06-01t09:38:24.77200-04:30") == 1'527'862'104'772'000'000);
  CHECK(ParseTimestamp("2016-12-31T23:59:60Z") == ParseTimestamp("2017-01-01T00:00:00Z"));
}

TEST_CASE("what is no RFC 3339 date-time of our range is refused") {
  const std::string text = GENERATE(
      "", "2018", "2018-06-01", "2018-06-01T14:08Z", "2018-06-01T14:08:24", "2018-06-01T14:08:24.Z",
      "2018-06-01T14:08:24.0123456789Z", "2018-02-29T00:00:00Z", "2018-13-01T00:00:00Z",
      "2018-00-01T00:00:00Z", "2018-06-01T24:00:00Z", "2018-06-01T14:60:00Z",
      "2018-06-01T14:08:61Z", "2018-06-01T14:08:24+25:00", "2018-06-01T14:08:24+0200",
      "2018-06-01T14:08:24ZZ", " 2018-06-01T14:08:24Z", "1969-12-31T23:59:59Z",
      "1970-01-01T00:30:00+01:00", "2262-01-01T00:00:00Z", "-018-06-01T14:08:24Z");
  CAPTURE(text);
  CHECK_FALSE(ParseTimestamp(text).has_value());
}

TEST_CASE("seconds are exact where whole, else to the microsecond") {
  CHECK(NanosecondsOf(std::int64_t{1'527'862'104}) == 1'527'862'104'000'000'000);
  CHECK(NanosecondsOf(1'527'862'104.772) == 1'527'862'104'772'000'000);
  CHECK(NanosecondsOf(1'527'862'104.000'001) == 1'527'862'104'000'001'000);
  CHECK(NanosecondsOf(-0.1) == -100'000'000);
  CHECK(FormatTimestamp(*NanosecondsOf(std::int64_t{9'214'646'399})) == "2261-12-31T23:59:59Z");
  CHECK_FALSE(NanosecondsOf(std::int64_t{9'214'646'400}).has_value());
  CHECK_FALSE(NanosecondsOf(1e300).has_value());
  CHECK_FALSE(NanosecondsOf(-1e300).has_value());
}
