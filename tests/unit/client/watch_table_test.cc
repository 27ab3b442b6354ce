#include <string>

#include "client/watch/table.h"
#include "collector/base/clock.h"
#include "tests/unit/catch.h"

namespace collector::client {
namespace {

StoredEvent Stored(const std::string& origin, Json value) {
  StoredEvent stored;
  stored.event.name_space = "n";
  stored.event.sender = "s";
  stored.event.origin = origin;
  stored.event.type = "t";
  stored.event.value = std::move(value);
  stored.event.timestamp_ns = 0;
  return stored;
}

TEST_CASE("a sparkline goes from the least to the greatest value, the last at its end") {
  CHECK(Sparkline({0, 1, 2, 3, 4, 5, 6, 7}, 8) == "▁▂▃▄▅▆▇█");
  CHECK(Sparkline({5, 1}, 4) == "  █▁");
  CHECK(Sparkline({100, 0, 1}, 2) == "▁█");  // the first is not shown, and does not count
  CHECK(Sparkline({3, 3}, 2) == "▅▅");
  CHECK(Sparkline({}, 3) == "   ");
  CHECK(Sparkline({-1.7e308, 1.7e308}, 2) == "▁█");
}

TEST_CASE("a text is fitted by its characters, not its bytes") {
  CHECK(Fitted("Málaga", 4) == "Mála");
  CHECK(Fitted("é", 3) == "é  ");
  CHECK(Fitted("abc", 0).empty());
}

TEST_CASE("the table has a line a series, and no line is wider than the screen") {
  WatchTable table;
  table.Add(Stored("b", 1), 0);
  table.Add(Stored("a", 21.5), kNsPerSecond);
  table.Add(Stored("a", "off\nline"), 2 * kNsPerSecond);
  const auto lines = table.Draw("x.db", {.columns = 100, .rows = 24}, 5 * kNsPerSecond);
  REQUIRE(lines.size() == 4);
  CHECK(lines[0].find("3 events, 0/s, 2 series   x.db") == 0);
  CHECK(lines[2].find("n/s/a t") == 0);
  CHECK(lines[2].find("off line") != std::string::npos);  // nothing a terminal would act on
  CHECK(lines[2].find("2    3 s") != std::string::npos);
  CHECK(lines[3].find("n/s/b t") == 0);
  for (const std::string& line : table.Draw("x.db", {.columns = 30, .rows = 24}, 0)) {
    CHECK(Fitted(line, 30) == line);
  }
}

TEST_CASE("a small screen shows the series that were heard last") {
  WatchTable table;
  for (int i = 0; i < 9; ++i) table.Add(Stored(std::to_string(i), i), i);
  const auto lines = table.Draw("x.db", {.columns = 90, .rows = 5}, 100);
  REQUIRE(lines.size() == 5);
  CHECK(lines[0].find("the last 3 of them") != std::string::npos);
  CHECK(lines[2].find("n/s/6 t") == 0);
  CHECK(table.Draw("x.db", {.columns = 90, .rows = 1}, 100).size() == 2);
}

TEST_CASE("memory is bounded: the longest silent series is forgotten") {
  WatchTable table;
  for (std::size_t i = 0; i < WatchTable::kSeriesMax + 1; ++i) {
    table.Add(Stored(std::to_string(i), 1), static_cast<std::int64_t>(i));
  }
  CHECK(table.series() == WatchTable::kSeriesMax);
  const auto lines = table.Draw("x.db", {.columns = 120, .rows = 3'000}, 2'000);
  CHECK(lines[0].find("1 forgotten") != std::string::npos);
  for (const std::string& line : lines) CHECK(line.find("n/s/0 t") != 0);
}

}  // namespace
}  // namespace collector::client
