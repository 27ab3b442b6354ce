#include "client/recorded_time.h"

#include "event/timestamp.h"
#include "tests/unit/catch.h"

namespace collector::client {
namespace {

// As RFC 3339, or "" where it cannot be read.
std::string Read(const std::string& format, const std::string& text, const std::string& zone = "") {
  const auto created = TimeFormat::Create(format, zone);
  REQUIRE(created.ok());
  const auto timestamp_ns = created.value().Read(text);
  return timestamp_ns.has_value() ? FormatTimestamp(*timestamp_ns) : "";
}

TEST_CASE("times in their common forms are known without being told") {
  CHECK(Read("auto", "2012-01-31T14:30:05.25Z") == "2012-01-31T14:30:05.250Z");
  CHECK(Read("auto", "2012-01-31T14:30:05+02:00") == "2012-01-31T12:30:05Z");
  CHECK(Read("auto", "2012-01-31T14:30:05") == "2012-01-31T14:30:05Z");
  CHECK(Read("auto", "2012-01-31 14:30:05.5") == "2012-01-31T14:30:05.500Z");
  CHECK(Read("auto", "2012/01/31 14:30") == "2012-01-31T14:30:00Z");
  CHECK(Read("auto", "2012/01/31") == "2012-01-31T00:00:00Z");
  CHECK(Read("auto", "2012-01-31") == "2012-01-31T00:00:00Z");
  CHECK(Read("auto", "1327991405") == "2012-01-31T06:30:05Z");
  CHECK(Read("auto", "1327991405.25") == "2012-01-31T06:30:05.250Z");
  CHECK(Read("auto", "1327991405250") == "2012-01-31T06:30:05.250Z");
}

TEST_CASE("a time without a zone has the one that is said") {
  CHECK(Read("auto", "2012-01-31 14:30", "+02:00") == "2012-01-31T12:30:00Z");
  CHECK(Read("auto", "2012-01-31T14:30:05Z", "+02:00") == "2012-01-31T14:30:05Z");
  CHECK(Read("%d.%m.%Y", "31.01.2012", "-01:00") == "2012-01-31T01:00:00Z");
  CHECK(Read("%d.%m.%Y %H:%M %z", "31.01.2012 14:30 +0200", "-01:00") == "2012-01-31T12:30:00Z");
}

TEST_CASE("forms that must be told") {
  CHECK(Read("seconds", "60") == "1970-01-01T00:01:00Z");
  CHECK(Read("milliseconds", "1500") == "1970-01-01T00:00:01.500Z");
  CHECK(Read("year", "1998") == "1998-01-01T00:00:00Z");
  CHECK(Read("year", "1998.5") == "1998-07-02T12:00:00Z");
  CHECK(Read("%Y%m%d", "19960229") == "1996-02-29T00:00:00Z");
  CHECK(Read("%b %d %Y", "Jan 1 2000") == "2000-01-01T00:00:00Z");
  CHECK(Read("%Y-%m", "2000-07") == "2000-07-01T00:00:00Z");
}

TEST_CASE("what is no time, or none that an event can have, is not read") {
  for (const char* text : {"", "today", "2012-02-30", "31.01.2012", "19960229", "2012-01-31 25:00",
                           "1969-12-31", "2012-01-31T14", "1e300", "-5", "nan", "2012-01"}) {
    INFO(text);
    CHECK(Read("auto", text).empty());
  }
  CHECK(Read("year", "1969").empty());
  CHECK(Read("year", "nan").empty());
  CHECK(Read("seconds", "-1").empty());
  CHECK(Read("milliseconds", "99999999999999999").empty());
  CHECK(Read("%Y%m%d", "19580329").empty());
  CHECK(Read("%Y%m%d", "19960631").empty());
  CHECK(Read("%Y%m%d", "19960629Z").empty());
}

TEST_CASE("a form or an offset that is none is an error") {
  CHECK_FALSE(TimeFormat::Create("iso", "").ok());
  CHECK_FALSE(TimeFormat::Create("auto", "CET").ok());
  CHECK_FALSE(TimeFormat::Create("auto", "+2").ok());
}

}  // namespace
}  // namespace collector::client
