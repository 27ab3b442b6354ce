// Events one by one, in the order of their time.
#include <algorithm>

#include "collector/store/sqlite/reader_scope.h"

namespace collector {
namespace {

// Rows that may be passed over, where wanted ones are scattered; beyond it they are found by their
// places.
constexpr std::int64_t kPassedOverMax = 100'000;
constexpr std::size_t kPlacesSeriesMax = 256;
constexpr std::int64_t kPlacesNs = kLevelMs[kPlacesLevel] * kNsPerMs;

// The first 48 bits of a key are the milliseconds of its event's timestamp.
std::int64_t KeyAt(std::int64_t timestamp_ns) { return (timestamp_ns / kNsPerMs) << 16; }

// Keys order events by milliseconds; within a page the rest of their time counts too.
void Order(bool newest_first, EventPage* page) {
  std::stable_sort(page->events.begin(), page->events.end(),
                   [newest_first](const EventRow& left, const EventRow& right) {
                     return newest_first ? left.timestamp_ns > right.timestamp_ns
                                         : left.timestamp_ns < right.timestamp_ns;
                   });
}

}  // namespace

Result<EventPage> Reader::Scan(const EventQuery& query, const Selection& selection,
                               bool newest_first) {
  Span span{.from_ns = query.range.from_ns.value_or(0),
            .to_ns = query.range.to_ns.value_or(kNever)};
  // While the summary is far behind it does not know where a series ends.
  const bool known = newest_ - upto_ <= kTailRowsMax;
  if (!query.filter.any() && known) span = SpanOf(query.range, selection);
  const auto compiled =
      Compile(std::string("SELECT series, key, rest, timestamp_ns, received_ns, value, payload"
                          " FROM main.records WHERE key >= ?1 AND key < ?2 ORDER BY key ") +
              (newest_first ? "DESC" : "ASC"));
  if (!compiled.ok()) return compiled.error();
  std::int64_t from_key = span.from_ns == kNever ? kNever : KeyAt(span.from_ns);
  std::int64_t to_key = span.to_ns == kNever ? kNever : KeyAt(span.to_ns) + (1 << 16);
  if (query.beyond_key && newest_first) to_key = std::min(to_key, *query.beyond_key);
  if (query.beyond_key && !newest_first) from_key = std::max(from_key, *query.beyond_key + 1);
  sqlite3_stmt* scan = compiled.value().get();
  sqlite3_bind_int64(scan, 1, from_key);
  sqlite3_bind_int64(scan, 2, to_key);
  EventPage page;
  int stepped = SQLITE_ROW;
  while ((stepped = sqlite3_step(scan)) == SQLITE_ROW) {
    const std::int64_t timestamp_ns = sqlite3_column_int64(scan, 3);
    if (timestamp_ns < span.from_ns || timestamp_ns >= span.to_ns) continue;
    if (!query.filter.any() && !selection.index.contains(sqlite3_column_int64(scan, 0))) continue;
    if (page.events.size() == query.limit) {
      page.next_key = page.events.back().key;
      break;
    }
    auto event = TakeRow(scan);
    if (!event.ok()) return event.error();
    page.events.push_back(std::move(event).value());
  }
  if (stepped != SQLITE_DONE && stepped != SQLITE_ROW) return LastError();
  Order(newest_first, &page);
  return page;
}

// Newest first, from one span of places to the one before, until there are enough.
Result<EventPage> Reader::FollowPlaces(const EventQuery& query, const Selection& selection) {
  struct Place {
    std::int64_t key, row;
  };
  const Span span = SpanOf(query.range, selection);
  const std::int64_t before_key = query.beyond_key.value_or(kNever);
  std::vector<Place> found;
  const auto consider = [&](std::int64_t row, std::int64_t timestamp_ns, std::int64_t key) {
    if (timestamp_ns < span.from_ns || timestamp_ns >= span.to_ns || key >= before_key) return;
    found.push_back({.key = key, .row = row});
  };
  const Status scanned = ScanTail(false, [&](const TailRow& row) {
    if (selection.index.contains(row.series)) consider(row.row, row.timestamp_ns, row.key);
  });
  if (!scanned.ok()) return scanned.error();

  const auto compiled = Compile("SELECT max(start) FROM summary.places WHERE start <= ?1");
  if (!compiled.ok()) return compiled.error();
  sqlite3_stmt* before = compiled.value().get();
  std::int64_t at_ns = span.to_ns - 1;
  if (before_key != kNever) at_ns = std::min(at_ns, (before_key >> 16) * kNsPerMs + kNsPerMs);
  std::vector<std::int64_t> rows;
  for (std::int64_t start = at_ns / kPlacesNs; start >= 0; --start) {
    const auto complete = std::count_if(found.begin(), found.end(), [start](const Place& place) {
      return place.key >= KeyAt((start + 1) * kPlacesNs);
    });
    if (static_cast<std::size_t>(complete) > query.limit) break;
    sqlite3_bind_int64(before, 1, start);
    const int stepped = sqlite3_step(before);
    const bool there = sqlite3_column_type(before, 0) == SQLITE_INTEGER;
    start = sqlite3_column_int64(before, 0);
    sqlite3_reset(before);
    if (stepped != SQLITE_ROW) return LastError();
    if (!there || (start + 1) * kPlacesNs <= span.from_ns) break;
    rows.clear();
    for (const Selected& one : selection.series) {
      if (Status read = ReadPlaces(start, one.id, &rows); !read.ok()) return read.error();
    }
    for (const std::int64_t row : rows) {
      sqlite3_bind_int64(number_.get(), 1, row);
      const int looked_up = sqlite3_step(number_.get());
      if (looked_up == SQLITE_ROW) {
        consider(row, sqlite3_column_int64(number_.get(), 0),
                 sqlite3_column_int64(number_.get(), 1));
      }
      sqlite3_reset(number_.get());
      if (looked_up != SQLITE_ROW) return LastError();
    }
  }
  std::sort(found.begin(), found.end(),
            [](const Place& left, const Place& right) { return left.key > right.key; });
  EventPage page;
  const bool more = found.size() > query.limit;
  if (more) found.resize(query.limit);
  for (const Place& place : found) {
    auto event = RowAt(place.row);
    if (!event.ok()) return event.error();
    page.events.push_back(std::move(event).value());
  }
  if (more) page.next_key = page.events.back().key;
  Order(true, &page);
  return page;
}

Result<EventPage> Reader::NewestFirst(const EventQuery& query, QueryBounds bounds) {
  Scope scope(this, std::move(bounds));
  if (Status begun = scope.Begin(); !begun.ok()) return begun.error();
  if (query.filter.any()) return Scan(query, {}, true);
  auto selected = Select(query.filter);
  if (!selected.ok()) return selected.error();
  const Selection& selection = selected.value();
  std::int64_t count = 0;
  for (const Selected& one : selection.series) count += one.totals.count;
  const double passed_over = static_cast<double>(query.limit) * static_cast<double>(newest_) /
                             static_cast<double>(std::max<std::int64_t>(count, 1));
  const bool rare = passed_over > static_cast<double>(kPassedOverMax) &&
                    selection.series.size() <= kPlacesSeriesMax && newest_ - upto_ <= kTailRowsMax;
  return rare ? FollowPlaces(query, selection) : Scan(query, selection, true);
}

Result<EventPage> Reader::OldestFirst(const EventQuery& query, QueryBounds bounds) {
  Scope scope(this, std::move(bounds));
  if (Status begun = scope.Begin(); !begun.ok()) return begun.error();
  if (query.filter.any()) return Scan(query, {}, false);
  auto selected = Select(query.filter);
  if (!selected.ok()) return selected.error();
  return Scan(query, selected.value(), false);
}

}  // namespace collector
