// What is asked of the embedded store: queries over the database and its summary, each bounded in
// time and in what it gives back.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "collector/base/result.h"
#include "collector/store/sqlite/chart.h"
#include "collector/store/sqlite/statement.h"
#include "collector/store/sqlite/summary.h"

namespace collector {

struct SeriesNames {
  std::string name_space, sender, origin, type;
};

// Which series: several names of a kind are alternatives, no name of a kind is any.
struct SeriesFilter {
  std::vector<std::string> name_spaces = {}, senders = {}, origins = {}, types = {};

  [[nodiscard]] bool any() const {
    return name_spaces.empty() && senders.empty() && origins.empty() && types.empty();
  }
  [[nodiscard]] bool Takes(const SeriesNames& names) const;
};

struct TimeRange {
  std::optional<std::int64_t> from_ns = {};  // from this on; none: from the first
  std::optional<std::int64_t> to_ns = {};    // before this; none: to the last
};

// When a query gives up. `cancelled` is asked now and then, while it runs.
struct QueryBounds {
  std::int64_t until_ns = 0;  // monotonic
  std::function<bool()> cancelled;
};

struct SeriesRow {
  SeriesNames names;
  std::int64_t count = 0;
  std::int64_t first_ns = 0;
  std::int64_t last_ns = 0;
  std::string last_value_json;
};
struct SeriesList {
  std::vector<SeriesRow> series;  // by their last event, the latest first
  bool truncated = false;
};

struct ChartQuery {
  SeriesFilter filter = {};
  TimeRange range = {};
  std::size_t buckets_max = 600;
  std::size_t series_max = 50;
};
struct ChartSeries {
  SeriesNames names;
  std::vector<Sums> sums;  // one a bucket; those without numbers have a count of 0
};
struct Chart {
  Buckets buckets;
  std::vector<ChartSeries> series;  // by their last event, the latest first
  bool truncated = false;
  std::int64_t behind = 0;  // the newest rows, that are not in it yet
};

struct EventRow {
  SeriesNames names;
  std::string id;            // 32 hexadecimal digits
  std::string value_json;    // as it was sent
  std::string payload_json;  // empty: type and value are all of it
  std::int64_t timestamp_ns = 0;
  std::int64_t received_ns = 0;
  std::int64_t key = 0;  // events are ordered by it, which is by their time
};
struct EventQuery {
  SeriesFilter filter = {};
  TimeRange range = {};
  std::optional<std::int64_t> beyond_key = {};  // goes on behind the event with this key
  std::size_t limit = 100;
};
struct EventPage {
  std::vector<EventRow> events;
  std::optional<std::int64_t> next_key;  // goes on with this as `beyond_key`; none: this was all
};

struct PositionRow {
  SeriesNames names;
  double latitude = 0;
  double longitude = 0;
  std::int64_t timestamp_ns = 0;
};

struct NewRows {
  std::vector<EventRow> events;  // the newest first
  std::int64_t newest_row = 0;
  std::int64_t skipped = 0;  // rows before them, that were not read
};

// One connection; one thread at a time. Each query sees one moment of the database. Its error is
// kUnavailable if its time ran out, kForbidden if it was cancelled, else kIo.
class Reader {
 public:
  // The database and its summary exist.
  static Result<std::unique_ptr<Reader>> Open(const std::string& database);
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  Result<SeriesList> Series(const SeriesFilter& filter, std::size_t limit, QueryBounds bounds);
  Result<Chart> ChartOf(const ChartQuery& query, QueryBounds bounds);
  Result<EventPage> NewestFirst(const EventQuery& query, QueryBounds bounds);
  Result<EventPage> OldestFirst(const EventQuery& query, QueryBounds bounds);
  Result<std::vector<PositionRow>> Positions(const SeriesFilter& filter, std::size_t limit,
                                             QueryBounds bounds);
  // What was stored after the row `after`, at most `limit` events of it.
  Result<NewRows> NewerThan(std::int64_t after, std::size_t limit, QueryBounds bounds);
  Result<std::int64_t> CountEvents(QueryBounds bounds);

 private:
  struct Selected {
    std::int64_t id = 0;
    Totals totals;
  };
  struct Selection {
    std::vector<Selected> series;
    std::unordered_map<std::int64_t, std::size_t> index;  // id to its place in `series`
  };
  // A row of the newest, that the summary does not have yet.
  struct TailRow {
    std::int64_t row, timestamp_ns, series, key;
    std::optional<double> number;
    bool is_position;
  };
  class Scope;

  Reader() = default;
  Status Prepare(const std::string& database);
  [[nodiscard]] Error LastError();
  Result<SqliteStatement> Compile(const std::string& sql);
  Result<std::int64_t> ReadNumber(const char* sql);
  Status ReadState();
  Status ScanTail(bool positions, const std::function<void(const TailRow&)>& take);
  Result<Selection> Select(const SeriesFilter& filter);
  static void KeepLatest(std::size_t limit, Selection* selection);
  Result<SeriesNames> NamesOf(std::int64_t series);
  Result<EventRow> RowAt(std::int64_t row);
  Result<EventRow> TakeRow(sqlite3_stmt* statement);

  Status FillFromLevel(int level, const Selection& selection, Chart* chart);
  Status LookUpLevel(int level, const Selection& selection, Chart* chart);
  Status ScanLevel(int level, const Selection& selection, Chart* chart);
  Status FillFromRows(const Selection& selection, const TimeRange& range, Chart* chart);
  Result<std::int64_t> CountNumbers(const Selection& selection, const Buckets& buckets);
  Result<Buckets> ChooseBuckets(const ChartQuery& query, const Selection& selection, int* level);
  Status ReadPlaces(std::int64_t start, std::int64_t series, std::vector<std::int64_t>* rows);

  struct Span {
    std::int64_t from_ns, to_ns;
  };
  static Span SpanOf(const TimeRange& range, const Selection& selection);
  Result<EventPage> Scan(const EventQuery& query, const Selection& selection, bool newest_first);
  Result<EventPage> FollowPlaces(const EventQuery& query, const Selection& selection);

  SqliteConnection database_;
  SqliteStatement tail_;
  SqliteStatement row_;
  SqliteStatement number_;
  SqliteStatement names_;
  SqliteStatement places_;
  SqliteStatement sums_;

  // Of the query that runs.
  bool cancelled_ = false;
  std::int64_t upto_ = 0;
  std::int64_t newest_ = 0;
  std::array<std::int64_t, kLevelMs.size()> kept_from_ms_{};  // of the sums of each level
  std::unordered_map<std::int64_t, SeriesNames> names_seen_;
};

}  // namespace collector
