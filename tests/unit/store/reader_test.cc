// Queries over a real file with random events, beside a naive computation.
#include "collector/store/sqlite/reader.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <map>
#include <random>

#include "collector/store/sqlite/database.h"
#include "collector/store/sqlite/position.h"
#include "collector/store/sqlite/summariser.h"
#include "event/event_json.h"
#include "tests/unit/catch.h"

namespace collector {
namespace {

constexpr std::int64_t kBaseNs = 1'700'000'000 * kNsPerSecond;
constexpr std::int64_t kHourNs = 3'600 * kNsPerSecond;

class File {
 public:
  File()
      : path_(std::filesystem::temp_directory_path() /
              ("collector-reader-" + std::to_string(getpid()))) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directory(path_);
  }
  ~File() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string Path() const { return (path_ / "events.db").string(); }

 private:
  std::filesystem::path path_;
};

class Ignore : public CompletionSink {
 public:
  void OnComplete(std::uint32_t, Outcome, std::string_view) override {}
};

QueryBounds Minute() { return {ReadClock().monotonic_ns + 60 * kNsPerSecond, {}}; }

// The events there are, as a list to compute from.
struct World {
  struct One {
    std::string origin, type;
    Json value;
    std::int64_t timestamp_ns;
  };

  World() {
    auto opened = Database::Open(file.Path());
    REQUIRE(opened.ok());
    database = std::move(opened).value();
  }

  void Store(const std::vector<One>& events) {
    Batch batch;
    for (const One& one : events) {
      Event event;
      event.name_space = "n";
      event.sender = "s";
      event.origin = one.origin;
      event.type = one.type;
      event.value = one.value;
      std::string payload;
      AppendPayloadJson(event, &payload);
      EventIdHasher hasher;
      const EventId id = hasher.Hash(event, payload, one.timestamp_ns, ++exchange);
      batch.Add({id, event, payload, one.timestamp_ns, one.timestamp_ns + 5},
                Completion(&ignore, 0));
      all.push_back(one);
    }
    REQUIRE(database->Commit(&batch).ok());
    batch.FinishAll();
  }

  // Some series, over weeks, with late events, texts and positions among them.
  std::vector<One> Random(std::size_t count) {
    std::vector<One> events;
    for (std::size_t i = 0; i < count; ++i) {
      const auto series = Draw(5);
      const std::int64_t at_ns = kBaseNs + Draw(21 * 24) * kHourNs + Draw(3'600'000) * kNsPerMs;
      One one{"origin" + std::to_string(series), series == 4 ? "place" : "t", 0, at_ns};
      switch (Draw(10)) {
        case 0:
          one.value = "text";
          break;
        case 1:
          one.value = Draw(2) == 0;
          break;
        case 2:
          one.value = Json{{"lat", Draw(90)}, {"lon", Draw(180)}};
          break;
        default:
          one.value = static_cast<double>(Draw(10'000)) / 8;
      }
      events.push_back(one);
    }
    return events;
  }

  std::int64_t Draw(std::int64_t below) {
    return std::uniform_int_distribution<std::int64_t>(0, below - 1)(random);
  }

  void Summarise(std::int64_t wall_ns) {
    auto summary = Summary::Open(file.Path(), &stop);
    REQUIRE(summary.ok());
    for (;;) {
      const auto progress = summary.value()->Pass(wall_ns);
      REQUIRE(progress.ok());
      if (progress.value().behind == 0) return;
    }
  }

  std::unique_ptr<Reader> Open() {
    REQUIRE(Summary::Open(file.Path(), &stop).ok());
    auto reader = Reader::Open(file.Path());
    REQUIRE(reader.ok());
    return std::move(reader).value();
  }

  File file;
  std::atomic<bool> stop{false};
  Ignore ignore;
  std::unique_ptr<Database> database;
  std::mt19937_64 random{20'240'615};
  std::uint64_t exchange = 0;
  std::vector<One> all;
};

bool Takes(const SeriesFilter& filter, const World::One& one) {
  return filter.Takes({"n", "s", one.origin, one.type});
}

// origin -> start of the bucket -> sums
std::map<std::string, std::map<std::int64_t, Sums>> NaiveChart(const World& world,
                                                               const SeriesFilter& filter,
                                                               const Buckets& buckets) {
  std::map<std::string, std::map<std::int64_t, Sums>> chart;
  for (const World::One& one : world.all) {
    const std::int64_t ms = one.timestamp_ns / kNsPerMs;
    if (!Takes(filter, one) || ms < buckets.from_ms || ms >= buckets.to_ms) continue;
    if (!one.value.is_number() && !one.value.is_boolean()) continue;
    const double value =
        one.value.is_boolean() ? (one.value.get<bool>() ? 1 : 0) : one.value.get<double>();
    chart[one.origin + one.type][ms / buckets.length_ms * buckets.length_ms].Add(value);
  }
  return chart;
}

void CheckChart(const World& world, Reader* reader, const ChartQuery& query) {
  const auto answer = reader->ChartOf(query, Minute());
  REQUIRE(answer.ok());
  const Chart& chart = answer.value();
  REQUIRE(chart.behind == 0);
  CHECK(chart.buckets.size() <= query.buckets_max);
  auto expected = NaiveChart(world, query.filter, chart.buckets);
  for (const ChartSeries& series : chart.series) {
    auto& wanted = expected[series.names.origin + series.names.type];
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < series.sums.size(); ++i) {
      const Sums& sums = series.sums[i];
      const Sums want =
          wanted[chart.buckets.from_ms + static_cast<std::int64_t>(i) * chart.buckets.length_ms];
      wrong += sums.count != want.count || sums.min != want.min || sums.max != want.max ||
                       sums.sum != want.sum
                   ? 1
                   : 0;
    }
    CHECK(wrong == 0);
    expected.erase(series.names.origin + series.names.type);
  }
  CHECK(expected.empty());
}

void CheckCharts(const World& world, Reader* reader) {
  for (const std::size_t buckets : {2u, 50u, 600u, 2'000u}) {
    for (const auto& filter : {SeriesFilter{}, SeriesFilter{.origins = {"origin1"}},
                               SeriesFilter{.origins = {"origin1", "origin3"}, .types = {"t"}}}) {
      CheckChart(world, reader, {.filter = filter, .range = {}, .buckets_max = buckets});
      for (const std::int64_t hours : {1, 30, 24 * 10}) {
        const std::int64_t from_ns = kBaseNs + 100 * kHourNs + 12'345'678'901;
        CheckChart(world, reader,
                   {.filter = filter,
                    .range = {.from_ns = from_ns, .to_ns = from_ns + hours * kHourNs},
                    .buckets_max = buckets});
      }
    }
  }
}

std::vector<std::int64_t> TimesOf(const EventPage& page) {
  std::vector<std::int64_t> times;
  for (const EventRow& event : page.events) times.push_back(event.timestamp_ns);
  return times;
}

// Pages through all of it, and compares with the list.
void CheckEvents(const World& world, Reader* reader, EventQuery query, bool newest_first) {
  std::vector<std::int64_t> expected;
  for (const World::One& one : world.all) {
    if (!Takes(query.filter, one)) continue;
    if (one.timestamp_ns < query.range.from_ns.value_or(0)) continue;
    if (one.timestamp_ns >= query.range.to_ns.value_or(kNever)) continue;
    expected.push_back(one.timestamp_ns);
  }
  std::sort(expected.begin(), expected.end());
  if (newest_first) std::reverse(expected.begin(), expected.end());
  std::vector<std::int64_t> found;
  for (;;) {
    const auto page =
        newest_first ? reader->NewestFirst(query, Minute()) : reader->OldestFirst(query, Minute());
    REQUIRE(page.ok());
    REQUIRE(page.value().events.size() <= query.limit);
    for (const std::int64_t time_ns : TimesOf(page.value())) found.push_back(time_ns);
    query.beyond_key = page.value().next_key;
    if (!query.beyond_key) break;
  }
  REQUIRE(found == expected);
}

TEST_CASE("charts are as computed from all events, whatever the summary has") {
  World world;
  world.Store(world.Random(3'000));
  SECTION("nothing of them") { CheckCharts(world, world.Open().get()); }
  SECTION("all of them, the minutes kept") {
    world.Summarise(kBaseNs);
    CheckCharts(world, world.Open().get());
  }
  SECTION("all of them, the minutes of most gone") {
    world.Summarise(kBaseNs + 70 * 24 * kHourNs);
    CheckCharts(world, world.Open().get());
  }
  SECTION("some of them, in several passes, the minutes going meanwhile") {
    world.Summarise(kBaseNs + 8 * 24 * kHourNs);
    world.Store(world.Random(1'000));
    world.Summarise(kBaseNs + 12 * 24 * kHourNs);
    world.Store(world.Random(500));
    CheckCharts(world, world.Open().get());
  }
}

TEST_CASE("a reader that is open sees what the summary takes meanwhile") {
  World world;
  world.Store(world.Random(500));
  const auto reader = world.Open();
  CheckCharts(world, reader.get());
  world.Summarise(kBaseNs);
  world.Store(world.Random(500));
  CheckCharts(world, reader.get());
}

TEST_CASE("a pass that is stopped leaves the summary as it was") {
  World world;
  world.Store(world.Random(500));
  world.Summarise(kBaseNs);
  world.Store(world.Random(500));
  const auto summary = Summary::Open(world.file.Path(), &world.stop);
  REQUIRE(summary.ok());
  world.stop = true;
  CHECK_FALSE(summary.value()->Pass(kBaseNs).ok());
  CHECK(summary.value()->Behind().value() == 500);
  world.stop = false;
  CHECK(summary.value()->Pass(kBaseNs).value().taken == 500);
  CheckCharts(world, world.Open().get());
}

TEST_CASE("nothing is summarised while events wait for the disk") {
  World world;
  world.Store(world.Random(500));
  const auto behind = [&] {
    return Summary::Open(world.file.Path(), &world.stop).value()->Behind().value();
  };
  std::atomic<bool> busy{true};
  std::atomic<int> asked{0};
  const auto ask = [&] {
    ++asked;
    return busy.load();
  };
  const auto summariser = Summariser::Create(world.file.Path(), ask, spdlog::default_logger());
  REQUIRE(summariser.ok());
  const auto wait = [](const auto& done) {
    for (int i = 0; i < 1'000 && !done(); ++i) usleep(10'000);
    return done();
  };
  REQUIRE(wait([&] { return asked > 1; }));
  CHECK(behind() == 500);
  busy = false;
  CHECK(wait([&] { return behind() == 0; }));
}

TEST_CASE("events come in pages, without a gap and without one twice") {
  World world;
  world.Store(world.Random(2'000));
  world.Summarise(kBaseNs);
  world.Store(world.Random(100));
  const auto reader = world.Open();
  const std::int64_t middle_ns = kBaseNs + 200 * kHourNs;
  for (const bool newest_first : {true, false}) {
    for (const auto& filter : {SeriesFilter{}, SeriesFilter{.origins = {"origin2"}},
                               SeriesFilter{.types = {"nothing"}}}) {
      for (const auto& range :
           {TimeRange{}, TimeRange{.from_ns = middle_ns, .to_ns = middle_ns + 50 * kHourNs},
            TimeRange{.from_ns = {}, .to_ns = middle_ns}}) {
        CheckEvents(world, reader.get(), {.filter = filter, .range = range, .limit = 37},
                    newest_first);
      }
    }
  }
}

TEST_CASE("events of a rare series are found by their places") {
  World world;
  // A hundred thousand of one, so that passing over them would be too much, and a few of another.
  for (int part = 0; part < 12; ++part) {
    std::vector<World::One> events;
    for (std::int64_t i = 0; i < 10'000; ++i) {
      events.push_back({"many", "t", i, kBaseNs + (part * 10'000 + i) * 20 * kNsPerMs});
    }
    for (std::int64_t i = 0; i < 5; ++i) {
      events.push_back({"few", "t", i, kBaseNs + world.Draw(40 * kHourNs)});
    }
    world.Store(events);
    if (part == 10) world.Summarise(kBaseNs);
  }
  const auto reader = world.Open();
  const SeriesFilter few{.origins = {"few"}};
  CheckEvents(world, reader.get(), {.filter = few, .range = {}, .limit = 7}, true);
  CheckEvents(world, reader.get(),
              {.filter = few,
               .range = {.from_ns = kBaseNs + 3 * kHourNs, .to_ns = kBaseNs + 20 * kHourNs},
               .limit = 100},
              true);
}

TEST_CASE("series and positions tell the last of each") {
  World world;
  world.Store(world.Random(1'000));
  world.Summarise(kBaseNs);
  world.Store(world.Random(50));
  const auto reader = world.Open();
  const auto list = reader->Series({}, 100, Minute());
  REQUIRE(list.ok());
  const auto positions = reader->Positions({}, 100, Minute());
  REQUIRE(positions.ok());
  std::int64_t before_ns = kNever;
  std::size_t with_position = 0;
  for (const SeriesRow& row : list.value().series) {
    CHECK(row.last_ns <= before_ns);
    before_ns = row.last_ns;
    std::int64_t count = 0, first_ns = kNever, position_ns = 0;
    for (const World::One& one : world.all) {
      if (one.origin != row.names.origin || one.type != row.names.type) continue;
      ++count;
      first_ns = std::min(first_ns, one.timestamp_ns);
      CHECK(one.timestamp_ns <= row.last_ns);
      if (one.timestamp_ns == row.last_ns) CHECK(Json::parse(row.last_value_json) == one.value);
      if (one.value.is_object()) position_ns = std::max(position_ns, one.timestamp_ns);
    }
    CHECK(row.count == count);
    CHECK(row.first_ns == first_ns);
    for (const PositionRow& position : positions.value()) {
      if (position.names.origin != row.names.origin) continue;
      ++with_position;
      CHECK(position.timestamp_ns == position_ns);
    }
  }
  CHECK(with_position == 5);
  CHECK(list.value().series.size() == 5);
  const auto two = reader->Series({}, 2, Minute());
  REQUIRE(two.ok());
  CHECK(two.value().truncated);
  CHECK(two.value().series.size() == 2);
}

TEST_CASE("what is new is told with its number") {
  World world;
  world.Store(world.Random(30));
  const auto reader = world.Open();
  const auto none = reader->NewerThan(30, 10, Minute());
  REQUIRE(none.ok());
  CHECK(none.value().events.empty());
  world.Store(world.Random(25));
  const auto some = reader->NewerThan(30, 10, Minute());
  REQUIRE(some.ok());
  CHECK(some.value().events.size() == 10);
  CHECK(some.value().skipped == 15);
  CHECK(some.value().newest_row == 55);
}

TEST_CASE("a query ends when its time is over, or nobody waits for it") {
  World world;
  for (int i = 0; i < 10; ++i) world.Store(world.Random(5'000));
  const auto reader = world.Open();
  const auto late = reader->Series({}, 10, {.until_ns = 1, .cancelled = {}});
  REQUIRE_FALSE(late.ok());
  CHECK(late.error().code == ErrorCode::kUnavailable);
  const auto gone = reader->Series({}, 10, {.until_ns = kNever, .cancelled = [] { return true; }});
  REQUIRE_FALSE(gone.ok());
  CHECK(gone.error().code == ErrorCode::kForbidden);
  CHECK(reader->Series({}, 10, Minute()).ok());
}

TEST_CASE("a summary is made again where it is not of this database, or damaged") {
  World world;
  world.Store(world.Random(300));
  world.Summarise(kBaseNs);
  SECTION("the database was replaced") {
    world.database = nullptr;
    for (const char* suffix : {"", "-wal", "-shm"}) {
      std::filesystem::remove(world.file.Path() + suffix);
    }
    auto opened = Database::Open(world.file.Path());
    REQUIRE(opened.ok());
    world.database = std::move(opened).value();
    world.all.clear();
    world.Store(world.Random(400));
  }
  SECTION("it is no database") {
    std::filesystem::resize_file(Summary::PathOf(world.file.Path()), 0);
    for (const char* suffix : {"-wal", "-shm"}) {
      std::filesystem::remove(Summary::PathOf(world.file.Path()) + suffix);
    }
    FILE* file = std::fopen(Summary::PathOf(world.file.Path()).c_str(), "wb");
    std::fputs("this is no database, but long enough to look like a header of one.........", file);
    std::fputs("...........................................................................", file);
    std::fclose(file);
  }
  world.Summarise(kBaseNs);
  CheckCharts(world, world.Open().get());
}

TEST_CASE("places are the rows they were made of, in parts or at once") {
  std::mt19937_64 random(1);
  std::vector<std::int64_t> rows;
  std::string bytes;
  for (int part = 0; part < 20; ++part) {
    std::vector<std::int64_t> some;
    for (int i = 0; i < 30; ++i) {
      const std::int64_t last = some.empty() ? (rows.empty() ? 0 : rows.back()) : some.back();
      some.push_back(last + 1 + static_cast<std::int64_t>(random() >> (random() % 16 + 44)));
    }
    bytes += EncodePlaces(some);
    rows.insert(rows.end(), some.begin(), some.end());
  }
  std::vector<std::int64_t> decoded;
  DecodePlaces(bytes, &decoded);
  CHECK(decoded == rows);
}

TEST_CASE("buckets cover what was asked, in lengths that people count in") {
  const Buckets year = BucketsFor(0, 365ll * 86'400'000, 600, 1);
  CHECK(year.length_ms == 86'400'000);
  CHECK(BucketsFor(5'500, 9'500, 600, 1).length_ms == 10);
  CHECK(BucketsFor(5'500, 9'500, 600, 60'000).length_ms == 60'000);
  std::mt19937_64 random(2);
  for (int i = 0; i < 2'000; ++i) {
    const auto from = static_cast<std::int64_t>(random() >> 24);
    const auto to = from + static_cast<std::int64_t>(random() >> (24 + random() % 38));
    const std::size_t most = 2 + random() % 1'999;
    const Buckets buckets = BucketsFor(from, to, most, 1);
    REQUIRE(buckets.size() <= most);
    REQUIRE(buckets.from_ms <= from);
    REQUIRE(buckets.to_ms >= to);
    REQUIRE(buckets.from_ms % buckets.length_ms == 0);
    const int level = LevelFor(buckets.length_ms);
    if (buckets.length_ms >= 60'000) REQUIRE(level >= 0);
    for (std::size_t n = 0; n < kLevelMs.size(); ++n) {
      if (static_cast<int>(n) <= level) REQUIRE(buckets.length_ms % kLevelMs[n] == 0);
    }
  }
}

TEST_CASE("positions are known in the forms people send") {
  const auto is_at = [](const char* payload, double latitude, double longitude) {
    const auto position = PositionOf(payload);
    return position && position->latitude == latitude && position->longitude == longitude;
  };
  CHECK(is_at(R"({"type":"p","value":{"lat":1.5,"lon":2}})", 1.5, 2));
  CHECK(is_at(R"({"type":"p","value":{"lat":1.5,"lng":2,"alt":100}})", 1.5, 2));
  CHECK(is_at(R"({"type":"p","value":{"latitude":-90,"longitude":180}})", -90, 180));
  CHECK(is_at(R"({"type":"p","value":[8.5,47.25]})", 47.25, 8.5));
  CHECK(is_at(R"({"type":"p","value":{"type":"Point","coordinates":[8,47,400]}})", 47, 8));
  for (const char* other :
       {R"({"type":"p","value":{"lat":91,"lon":0}})", R"({"type":"p","value":{"lat":"1","lon":0}})",
        R"({"type":"p","value":[1]})", R"({"type":"p","value":[1,2,3,4]})",
        R"({"type":"p","value":[200,2]})", R"({"type":"p","value":3})",
        R"({"type":"p","value":{"type":"Line","coordinates":[8,47]}})",
        R"({"type":"p","lat":1,"lon":2})", "nothing"}) {
    CHECK_FALSE(PositionOf(other));
  }
}

}  // namespace
}  // namespace collector
