#include "client/row_mapping.h"

#include "client/table.h"
#include "event/event_json.h"
#include "tests/unit/catch.h"

namespace collector::client {
namespace {

// Each event as "origin type payload timestamp".
std::vector<std::string> Read(const RowOptions& options, const Json& cells) {
  const auto mapping = RowMapping::Create(options);
  REQUIRE(mapping.ok());
  const auto events = mapping.value().Read(cells);
  if (!events.ok()) return {events.error().message};
  std::vector<std::string> out;
  for (const Event& event : events.value()) {
    std::string payload;
    AppendPayloadJson(event, &payload);
    out.push_back(event.origin + " " + payload + " " +
                  std::to_string(*event.timestamp_ns / 1'000'000'000));
  }
  return out;
}

using Events = std::vector<std::string>;

TEST_CASE("each other column of a row is a value") {
  CHECK(Read({.timestamp_column = "date"},
             {{"date", "2012-01-01"}, {"temp", 12.5}, {"weather", "rain"}}) ==
        Events{" {\"type\":\"temp\",\"value\":12.5} 1325376000",
               " {\"type\":\"weather\",\"value\":\"rain\"} 1325376000"});
  CHECK(Read({.timestamp_column = "date"}, {{"date", "2012-01-01"}}).empty());
}

TEST_CASE("columns that are picked, renamed, with units and origins") {
  CHECK(Read({.timestamp_column = "t",
              .value_columns = {"temperature=temp", "missing"},
              .origin_column = "site",
              .units = {"temperature=Cel"}},
             {{"t", 1325376000}, {"temp", 12}, {"other", 1}, {"site", 7}}) ==
        Events{"7 {\"type\":\"temperature\",\"value\":12,\"unit\":\"Cel\"} 1325376000"});
}

TEST_CASE("a column that tells the type") {
  const RowOptions options{
      .timestamp_column = "t", .type_column = "kind", .value_columns = {"value"}};
  CHECK(Read(options, {{"t", 1325376000}, {"kind", "temp"}, {"value", 12}}) ==
        Events{" {\"type\":\"temp\",\"value\":12} 1325376000"});
  CHECK(Read(options, {{"t", 1325376000}, {"value", 12}}) == Events{"'kind' is empty"});
}

TEST_CASE("a row that is no event is told why") {
  CHECK(Read({.timestamp_column = "t"}, {{"v", 1}}) == Events{"'t' is empty"});
  CHECK(Read({.timestamp_column = "t"}, {{"t", "noon"}, {"v", 1}}) ==
        Events{"cannot read 'noon' as a time from 1970 on; see --timestamp-format"});
}

TEST_CASE("options of a replay that cannot be meant are told") {
  CHECK_FALSE(RowMapping::Create({.type_column = "kind"}).ok());
  CHECK_FALSE(RowMapping::Create({.units = {"Cel"}}).ok());
  CHECK_FALSE(RowMapping::Create({.timestamp_format = "iso"}).ok());
  const auto mapping = RowMapping::Create({.timestamp_column = "t", .value_columns = {"a=b"}});
  CHECK(mapping.value().Check({"t", "b"}).ok());
  CHECK(mapping.value().Check({"t", "a"}).error().message == "there is no column 'b', but t, a");
}

TEST_CASE("a cell is a number, true, false, a text or no value") {
  CHECK(ReadCell("-3.5") == Json(-3.5));
  CHECK(ReadCell("true") == Json(true));
  for (const char* text : {"", "NA", "N/A", "NaN", "null", "None"}) CHECK(ReadCell(text).is_null());
  for (const char* text : {"rain", "007", "{", "[1]", "\"a\"", "1,5"}) {
    CHECK(ReadCell(text) == Json(text));
  }
}

}  // namespace
}  // namespace collector::client
