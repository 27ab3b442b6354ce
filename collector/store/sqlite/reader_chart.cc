// Charts: of sums where there are some for their buckets, else of the single events.
#include <algorithm>

#include "collector/store/sqlite/reader_scope.h"

namespace collector {
namespace {

constexpr std::int64_t kRowsMax = 300'000;  // single events of one chart: less than half a second
// Beyond so many series for each one wanted, their buckets are looked up instead of passed over.
constexpr std::size_t kScanRatio = 8;
constexpr std::int64_t kPlacesMs = kLevelMs[kPlacesLevel];

Sums SumsAt(sqlite3_stmt* statement, int column) {
  return {.count = sqlite3_column_int64(statement, column),
          .sum = sqlite3_column_double(statement, column + 1),
          .min = sqlite3_column_double(statement, column + 2),
          .max = sqlite3_column_double(statement, column + 3)};
}

void AddAt(std::int64_t ms, std::size_t series, const Sums& sums, Chart* chart) {
  const Buckets& buckets = chart->buckets;
  if (ms < buckets.from_ms || ms >= buckets.to_ms) return;
  const auto bucket = static_cast<std::size_t>((ms - buckets.from_ms) / buckets.length_ms);
  chart->series[series].sums[bucket].Add(sums);
}

}  // namespace

// What of a range the series have events in.
Reader::Span Reader::SpanOf(const TimeRange& range, const Selection& selection) {
  Span span{.from_ns = kNever, .to_ns = 0};
  for (const Selected& one : selection.series) {
    if (one.totals.count == 0) continue;
    span.from_ns = std::min(span.from_ns, one.totals.first_ns);
    span.to_ns = std::max(span.to_ns, one.totals.last_ns + 1);
  }
  span.from_ns = std::max(span.from_ns, range.from_ns.value_or(0));
  span.to_ns = std::min(span.to_ns, range.to_ns.value_or(kNever));
  return span;
}

Result<std::int64_t> Reader::CountNumbers(const Selection& selection, const Buckets& buckets) {
  std::int64_t count = 0;
  for (std::int64_t start = buckets.from_ms / kPlacesMs; start * kPlacesMs < buckets.to_ms;
       ++start) {
    for (const Selected& one : selection.series) {
      sqlite3_bind_int64(sums_.get(), 1, kPlacesLevel);
      sqlite3_bind_int64(sums_.get(), 2, start);
      sqlite3_bind_int64(sums_.get(), 3, one.id);
      const int stepped = sqlite3_step(sums_.get());
      if (stepped == SQLITE_ROW) count += sqlite3_column_int64(sums_.get(), 0);
      sqlite3_reset(sums_.get());
      if (stepped != SQLITE_ROW && stepped != SQLITE_DONE) return LastError();
    }
  }
  return count;
}

// As short as asked for, or as there are sums where the single events are too many.
Result<Buckets> Reader::ChooseBuckets(const ChartQuery& query, const Selection& selection,
                                      int* level) {
  const Span span = SpanOf(query.range, selection);
  const std::int64_t from_ms = query.range.from_ns.value_or(span.from_ns) / kNsPerMs;
  const std::int64_t to_ns = query.range.to_ns.value_or(span.to_ns);
  const std::int64_t to_ms = to_ns / kNsPerMs + (to_ns % kNsPerMs != 0 ? 1 : 0);
  const Buckets wanted = BucketsFor(from_ms, to_ms, query.buckets_max, 1);
  const auto kept = [&](int of) {
    return of >= 0 && wanted.from_ms >= kept_from_ms_[static_cast<std::size_t>(of)];
  };
  *level = LevelFor(wanted.length_ms);
  if (kept(*level)) return wanted;
  const Buckets holding =
      BucketsFor(std::max(wanted.from_ms, span.from_ns / kNsPerMs),
                 std::min(wanted.to_ms, span.to_ns / kNsPerMs + 1), SIZE_MAX, 1);
  const auto count = CountNumbers(selection, holding);
  if (!count.ok()) return count.error();
  int finest = std::max(*level, 0);
  *level = -1;
  if (count.value() <= kRowsMax) return wanted;
  while (!kept(finest)) ++finest;  // the last ones are kept for ever
  *level = finest;
  return BucketsFor(from_ms, to_ms, query.buckets_max, kLevelMs[static_cast<std::size_t>(finest)]);
}

Status Reader::LookUpLevel(int level, const Selection& selection, Chart* chart) {
  const std::int64_t unit_ms = kLevelMs[static_cast<std::size_t>(level)];
  sqlite3_stmt* look_up = sums_.get();
  for (std::int64_t start = chart->buckets.from_ms / unit_ms;
       start * unit_ms < chart->buckets.to_ms; ++start) {
    for (std::size_t i = 0; i < selection.series.size(); ++i) {
      const Totals& totals = selection.series[i].totals;
      const std::int64_t ms = start * unit_ms;
      if (ms > totals.last_ns / kNsPerMs || ms + unit_ms <= totals.first_ns / kNsPerMs) continue;
      sqlite3_bind_int64(look_up, 1, level);
      sqlite3_bind_int64(look_up, 2, start);
      sqlite3_bind_int64(look_up, 3, selection.series[i].id);
      const int stepped = sqlite3_step(look_up);
      if (stepped == SQLITE_ROW) AddAt(ms, i, SumsAt(look_up, 0), chart);
      sqlite3_reset(look_up);
      if (stepped != SQLITE_ROW && stepped != SQLITE_DONE) return LastError();
    }
  }
  return Ok{};
}

Status Reader::ScanLevel(int level, const Selection& selection, Chart* chart) {
  const std::int64_t unit_ms = kLevelMs[static_cast<std::size_t>(level)];
  const auto compiled = Compile(
      "SELECT start, series, count, sum, min, max FROM summary.sums"
      " WHERE level = ?1 AND start >= ?2 AND start < ?3");
  if (!compiled.ok()) return compiled.error();
  sqlite3_stmt* scan = compiled.value().get();
  sqlite3_bind_int64(scan, 1, level);
  sqlite3_bind_int64(scan, 2, chart->buckets.from_ms / unit_ms);
  sqlite3_bind_int64(scan, 3, chart->buckets.to_ms / unit_ms);
  int stepped = SQLITE_ROW;
  while ((stepped = sqlite3_step(scan)) == SQLITE_ROW) {
    const auto found = selection.index.find(sqlite3_column_int64(scan, 1));
    if (found == selection.index.end()) continue;
    AddAt(sqlite3_column_int64(scan, 0) * unit_ms, found->second, SumsAt(scan, 2), chart);
  }
  if (stepped != SQLITE_DONE) return LastError();
  return Ok{};
}

Status Reader::FillFromLevel(int level, const Selection& selection, Chart* chart) {
  const auto all = ReadNumber("SELECT count(*) FROM (SELECT 1 FROM main.series LIMIT 1000)");
  if (!all.ok()) return all.error();
  const bool most = static_cast<std::size_t>(all.value()) <= kScanRatio * selection.series.size();
  return most ? ScanLevel(level, selection, chart) : LookUpLevel(level, selection, chart);
}

Status Reader::ReadPlaces(std::int64_t start, std::int64_t series,
                          std::vector<std::int64_t>* rows) {
  sqlite3_stmt* places = places_.get();
  sqlite3_bind_int64(places, 1, start);
  sqlite3_bind_int64(places, 2, series);
  const int stepped = sqlite3_step(places);
  if (stepped == SQLITE_ROW) {
    DecodePlaces({static_cast<const char*>(sqlite3_column_blob(places, 0)),
                  static_cast<std::size_t>(sqlite3_column_bytes(places, 0))},
                 rows);
  }
  sqlite3_reset(places);
  if (stepped != SQLITE_ROW && stepped != SQLITE_DONE) return LastError();
  return Ok{};
}

Status Reader::FillFromRows(const Selection& selection, const TimeRange& range, Chart* chart) {
  const Span span = SpanOf(range, selection);
  sqlite3_stmt* look_up = number_.get();
  std::vector<std::int64_t> rows;
  for (std::int64_t start = std::max(chart->buckets.from_ms, span.from_ns / kNsPerMs) / kPlacesMs;
       start * kPlacesMs < std::min(chart->buckets.to_ms, span.to_ns / kNsPerMs + 1); ++start) {
    for (std::size_t i = 0; i < selection.series.size(); ++i) {
      rows.clear();
      Status read = ReadPlaces(start, selection.series[i].id, &rows);
      if (!read.ok()) return read;
      for (const std::int64_t row : rows) {
        sqlite3_bind_int64(look_up, 1, row);
        const int stepped = sqlite3_step(look_up);
        const int type = sqlite3_column_type(look_up, 2);
        if (stepped == SQLITE_ROW && (type == SQLITE_INTEGER || type == SQLITE_FLOAT)) {
          Sums one;
          one.Add(sqlite3_column_double(look_up, 2));
          AddAt(sqlite3_column_int64(look_up, 0) / kNsPerMs, i, one, chart);
        }
        sqlite3_reset(look_up);
        if (stepped != SQLITE_ROW && stepped != SQLITE_DONE) return LastError();
      }
    }
  }
  return Ok{};
}

Result<Chart> Reader::ChartOf(const ChartQuery& query, QueryBounds bounds) {
  Scope scope(this, std::move(bounds));
  if (Status begun = scope.Begin(); !begun.ok()) return begun.error();
  auto selected = Select(query.filter);
  if (!selected.ok()) return selected.error();
  Selection& selection = selected.value();
  KeepLatest(query.series_max + 1, &selection);
  Chart chart;
  chart.truncated = selection.series.size() > query.series_max;
  if (chart.truncated) KeepLatest(query.series_max, &selection);
  chart.behind = std::max<std::int64_t>(newest_ - upto_ - kTailRowsMax, 0);
  if (selection.series.empty()) return chart;
  int level = -1;
  const auto buckets = ChooseBuckets(query, selection, &level);
  if (!buckets.ok()) return buckets.error();
  chart.buckets = buckets.value();
  for (const Selected& one : selection.series) {
    auto names = NamesOf(one.id);
    if (!names.ok()) return names.error();
    chart.series.push_back({std::move(names).value(), std::vector<Sums>(chart.buckets.size())});
  }
  Status filled =
      level >= 0 ? FillFromLevel(level, selection, &chart) : FillFromRows(selection, {}, &chart);
  if (!filled.ok()) return filled.error();
  filled = ScanTail(false, [&selection, &chart](const TailRow& row) {
    const auto found = selection.index.find(row.series);
    if (found == selection.index.end() || !row.number) return;
    Sums one;
    one.Add(*row.number);
    AddAt(row.timestamp_ns / kNsPerMs, found->second, one, &chart);
  });
  if (!filled.ok()) return filled.error();
  return chart;
}

}  // namespace collector
