#include "collector/store/sqlite/reader.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "collector/store/sqlite/position.h"
#include "collector/store/sqlite/reader_scope.h"
#include "event/event_json.h"

namespace collector {
namespace {

constexpr int kReaderBusyTimeoutMs = 1'000;
constexpr int kStepsBetweenChecks = 10'000;  // of SQLite's machine: less than a millisecond

constexpr const char* kTail =
    "SELECT rowid, timestamp_ns, series, key, value,"
    " CASE WHEN ?3 AND value IS NULL THEN payload END"
    " FROM main.records WHERE rowid > ?1 AND rowid <= ?2";
constexpr const char* kRow =
    "SELECT series, key, rest, timestamp_ns, received_ns, value, payload"
    " FROM main.records WHERE rowid = ?1";
constexpr const char* kNumber =
    "SELECT timestamp_ns, key, value FROM main.records WHERE rowid = ?1";
constexpr const char* kNames =
    "SELECT name_space, sender, origin, type FROM main.series WHERE id = ?1";
constexpr const char* kPlaces = "SELECT rows FROM summary.places WHERE start = ?1 AND series = ?2";
constexpr const char* kSums =
    "SELECT count, sum, min, max FROM summary.sums WHERE level = ?1 AND start = ?2 AND series = ?3";

std::string_view TextAt(sqlite3_stmt* statement, int column) {
  const auto* text = static_cast<const char*>(sqlite3_column_blob(statement, column));
  return {text, static_cast<std::size_t>(sqlite3_column_bytes(statement, column))};
}

bool OneOf(const std::string& name, const std::vector<std::string>& names) {
  return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
}

// payload.value as it was sent: whole in the payload, where there is one.
std::string ValueJson(sqlite3_stmt* statement, int column, std::string_view payload_json) {
  if (!payload_json.empty()) {
    const Json payload = Json::parse(payload_json, nullptr, false);
    if (payload.is_object() && payload.contains("value")) return payload["value"].dump();
  }
  std::string json;
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
      return std::to_string(sqlite3_column_int64(statement, column));
    case SQLITE_FLOAT:
      AppendJson(Json(sqlite3_column_double(statement, column)), &json);
      return json;
    case SQLITE_TEXT:
      AppendJsonText(TextAt(statement, column), &json);
      return json;
    default:
      return "null";
  }
}

std::string IdOf(std::int64_t key, sqlite3_stmt* statement, int rest_column) {
  std::string id;
  std::array<char, 33> digits{};
  if (sqlite3_column_type(statement, rest_column) == SQLITE_BLOB) {
    for (const char byte : TextAt(statement, rest_column)) {
      std::snprintf(digits.data(), digits.size(), "%02x", static_cast<unsigned char>(byte));
      id += digits.data();
    }
    return id;
  }
  std::snprintf(digits.data(), digits.size(), "%016llx%016llx",
                static_cast<unsigned long long>(key),
                static_cast<unsigned long long>(sqlite3_column_int64(statement, rest_column)));
  return digits.data();
}

void AppendChoice(const char* column, const std::vector<std::string>& names, std::string* sql) {
  if (names.empty()) return;
  *sql += std::string(" AND ") + column + " IN (?";
  for (std::size_t i = 1; i < names.size(); ++i) *sql += ",?";
  *sql += ")";
}

}  // namespace

bool SeriesFilter::Takes(const SeriesNames& names) const {
  return OneOf(names.name_space, name_spaces) && OneOf(names.sender, senders) &&
         OneOf(names.origin, origins) && OneOf(names.type, types);
}

Reader::Scope::Scope(Reader* reader, QueryBounds bounds)
    : reader_(reader), bounds_(std::move(bounds)) {
  sqlite3_progress_handler(reader_->database_.get(), kStepsBetweenChecks, Check, this);
}

Reader::Scope::~Scope() {
  sqlite3_progress_handler(reader_->database_.get(), 0, nullptr, nullptr);
  sqlite3_exec(reader_->database_.get(), "COMMIT", nullptr, nullptr, nullptr);
  reader_->names_seen_.clear();
}

int Reader::Scope::Check(void* scope) {
  const auto& bounds = static_cast<Scope*>(scope)->bounds_;
  auto* reader = static_cast<Scope*>(scope)->reader_;
  reader->cancelled_ = bounds.cancelled && bounds.cancelled();
  return reader->cancelled_ || ReadClock().monotonic_ns > bounds.until_ns ? 1 : 0;
}

Status Reader::Scope::Begin() {
  reader_->cancelled_ = false;
  if (sqlite3_exec(reader_->database_.get(), "BEGIN", nullptr, nullptr, nullptr) != SQLITE_OK) {
    return reader_->LastError();
  }
  return reader_->ReadState();
}

Result<std::unique_ptr<Reader>> Reader::Open(const std::string& database) {
  std::unique_ptr<Reader> reader(new Reader);
  if (Status prepared = reader->Prepare(database); !prepared.ok()) return prepared.error();
  return reader;
}

Status Reader::Prepare(const std::string& database) {
  sqlite3* raw = nullptr;
  const int opened =
      sqlite3_open_v2(database.c_str(), &raw, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, nullptr);
  database_.reset(raw);
  if (opened != SQLITE_OK) return LastError();
  sqlite3_busy_timeout(raw, kReaderBusyTimeoutMs);
  const SqliteStatement attach = PrepareStatement(raw, "ATTACH ?1 AS summary");
  if (attach == nullptr) return LastError();
  const std::string path = Summary::PathOf(database);
  sqlite3_bind_text(attach.get(), 1, path.data(), static_cast<int>(path.size()), SQLITE_STATIC);
  if (sqlite3_step(attach.get()) != SQLITE_DONE) return LastError();
  sqlite3_exec(raw, "PRAGMA main.cache_size=-2000; PRAGMA summary.cache_size=-2000", nullptr,
               nullptr, nullptr);
  for (const auto& [sql, statement] : {std::pair{kTail, &tail_},
                                       {kRow, &row_},
                                       {kNumber, &number_},
                                       {kNames, &names_},
                                       {kPlaces, &places_},
                                       {kSums, &sums_}}) {
    *statement = PrepareStatement(raw, sql);
    if (*statement == nullptr) return LastError();
  }
  return Ok{};
}

Error Reader::LastError() {
  const bool interrupted = (sqlite3_errcode(database_.get()) & 0xff) == SQLITE_INTERRUPT;
  if (interrupted && cancelled_) return {ErrorCode::kForbidden, "cancelled"};
  if (interrupted) {
    return {ErrorCode::kUnavailable, "this took too long: ask for less time, or for fewer series"};
  }
  return {ErrorCode::kIo,
          std::string("the store cannot be read: ") + sqlite3_errmsg(database_.get())};
}

Result<SqliteStatement> Reader::Compile(const std::string& sql) {
  SqliteStatement statement = PrepareStatement(database_.get(), sql.c_str());
  if (statement == nullptr) return LastError();
  return statement;
}

Result<std::int64_t> Reader::ReadNumber(const char* sql) {
  const auto statement = Compile(sql);
  if (!statement.ok()) return statement.error();
  if (sqlite3_step(statement.value().get()) != SQLITE_ROW) return LastError();
  return std::int64_t{sqlite3_column_int64(statement.value().get(), 0)};
}

// The summary's moment comes first: what it has taken is in the database by then.
Status Reader::ReadState() {
  const auto upto = ReadNumber("SELECT upto FROM summary.state");
  if (!upto.ok()) return upto.error();
  for (std::size_t level = 0; level < kLevelMs.size(); ++level) {
    const auto start = ReadNumber(
        ("SELECT from_start FROM summary.kept WHERE level = " + std::to_string(level)).c_str());
    if (!start.ok()) return start.error();
    kept_from_ms_[level] = start.value() * kLevelMs[level];
  }
  const auto newest = ReadNumber("SELECT ifnull(max(rowid), 0) FROM main.records");
  if (!newest.ok()) return newest.error();
  upto_ = upto.value();
  newest_ = newest.value();
  return Ok{};
}

Status Reader::ScanTail(bool positions, const std::function<void(const TailRow&)>& take) {
  sqlite3_stmt* tail = tail_.get();
  sqlite3_bind_int64(tail, 1, upto_);
  sqlite3_bind_int64(tail, 2, upto_ + kTailRowsMax);
  sqlite3_bind_int(tail, 3, positions ? 1 : 0);
  int stepped = SQLITE_ROW;
  while ((stepped = sqlite3_step(tail)) == SQLITE_ROW) {
    TailRow row{.row = sqlite3_column_int64(tail, 0),
                .timestamp_ns = sqlite3_column_int64(tail, 1),
                .series = sqlite3_column_int64(tail, 2),
                .key = sqlite3_column_int64(tail, 3),
                .number = std::nullopt,
                .is_position = false};
    const int type = sqlite3_column_type(tail, 4);
    if (type == SQLITE_INTEGER || type == SQLITE_FLOAT) row.number = sqlite3_column_double(tail, 4);
    const std::string_view payload = TextAt(tail, 5);
    row.is_position = !payload.empty() && PositionOf(payload).has_value();
    take(row);
  }
  sqlite3_reset(tail);
  if (stepped != SQLITE_DONE) return LastError();
  return Ok{};
}

Result<Reader::Selection> Reader::Select(const SeriesFilter& filter) {
  std::string sql =
      "SELECT s.id, t.count, t.first_ns, t.last_ns, t.last_row, t.position_row, t.position_ns"
      " FROM main.series s LEFT JOIN summary.totals t ON t.series = s.id WHERE 1";
  AppendChoice("s.name_space", filter.name_spaces, &sql);
  AppendChoice("s.sender", filter.senders, &sql);
  AppendChoice("s.origin", filter.origins, &sql);
  AppendChoice("s.type", filter.types, &sql);
  const auto compiled = Compile(sql);
  if (!compiled.ok()) return compiled.error();
  sqlite3_stmt* statement = compiled.value().get();
  int parameter = 1;
  for (const auto* names : {&filter.name_spaces, &filter.senders, &filter.origins, &filter.types}) {
    for (const std::string& name : *names) {
      sqlite3_bind_text(statement, parameter++, name.data(), static_cast<int>(name.size()),
                        SQLITE_STATIC);
    }
  }
  Selection selection;
  int stepped = SQLITE_ROW;
  while ((stepped = sqlite3_step(statement)) == SQLITE_ROW) {
    Selected selected;
    selected.id = sqlite3_column_int64(statement, 0);
    int column = 1;
    for (std::int64_t* number :
         {&selected.totals.count, &selected.totals.first_ns, &selected.totals.last_ns,
          &selected.totals.last_row, &selected.totals.position_row, &selected.totals.position_ns}) {
      *number = sqlite3_column_int64(statement, column++);
    }
    selection.index[selected.id] = selection.series.size();
    selection.series.push_back(selected);
  }
  if (stepped != SQLITE_DONE) return LastError();
  const Status scanned = ScanTail(true, [&selection](const TailRow& row) {
    const auto found = selection.index.find(row.series);
    if (found == selection.index.end()) return;
    selection.series[found->second].totals.Add(row.row, row.timestamp_ns, row.is_position);
  });
  if (!scanned.ok()) return scanned.error();
  return selection;
}

// The series with the latest events, the latest first. Without an event a series is entered, but
// not summarised yet.
void Reader::KeepLatest(std::size_t limit, Selection* selection) {
  auto& series = selection->series;
  std::sort(series.begin(), series.end(), [](const Selected& left, const Selected& right) {
    return std::pair(left.totals.last_ns, left.id) > std::pair(right.totals.last_ns, right.id);
  });
  const auto empty = std::find_if(series.begin(), series.end(),
                                  [](const Selected& one) { return one.totals.count == 0; });
  series.erase(empty, series.end());
  if (series.size() > limit) series.resize(limit);
  selection->index.clear();
  for (std::size_t i = 0; i < series.size(); ++i) selection->index[series[i].id] = i;
}

Result<SeriesNames> Reader::NamesOf(std::int64_t series) {
  if (const auto seen = names_seen_.find(series); seen != names_seen_.end()) return seen->second;
  sqlite3_bind_int64(names_.get(), 1, series);
  SeriesNames names;
  const int stepped = sqlite3_step(names_.get());
  if (stepped == SQLITE_ROW) {
    int column = 0;
    for (std::string* name : {&names.name_space, &names.sender, &names.origin, &names.type}) {
      *name = TextAt(names_.get(), column++);
    }
  }
  sqlite3_reset(names_.get());
  if (stepped != SQLITE_ROW) return LastError();
  names_seen_[series] = names;
  return names;
}

// A row of the columns of kRow.
Result<EventRow> Reader::TakeRow(sqlite3_stmt* statement) {
  EventRow event;
  auto names = NamesOf(sqlite3_column_int64(statement, 0));
  if (!names.ok()) return names.error();
  event.names = std::move(names).value();
  event.key = sqlite3_column_int64(statement, 1);
  event.id = IdOf(event.key, statement, 2);
  event.timestamp_ns = sqlite3_column_int64(statement, 3);
  event.received_ns = sqlite3_column_int64(statement, 4);
  event.payload_json = TextAt(statement, 6);
  event.value_json = ValueJson(statement, 5, event.payload_json);
  return event;
}

Result<EventRow> Reader::RowAt(std::int64_t row) {
  sqlite3_bind_int64(row_.get(), 1, row);
  const int stepped = sqlite3_step(row_.get());
  Result<EventRow> event = stepped == SQLITE_ROW ? TakeRow(row_.get()) : LastError();
  sqlite3_reset(row_.get());
  return event;
}

Result<SeriesList> Reader::Series(const SeriesFilter& filter, std::size_t limit,
                                  QueryBounds bounds) {
  Scope scope(this, std::move(bounds));
  if (Status begun = scope.Begin(); !begun.ok()) return begun.error();
  auto selected = Select(filter);
  if (!selected.ok()) return selected.error();
  Selection& selection = selected.value();
  KeepLatest(limit + 1, &selection);
  SeriesList list;
  list.truncated = selection.series.size() > limit;
  if (list.truncated) selection.series.pop_back();
  for (const Selected& one : selection.series) {
    auto last = RowAt(one.totals.last_row);
    if (!last.ok()) return last.error();
    list.series.push_back({.names = std::move(last.value().names),
                           .count = one.totals.count,
                           .first_ns = one.totals.first_ns,
                           .last_ns = one.totals.last_ns,
                           .last_value_json = std::move(last.value().value_json)});
  }
  return list;
}

Result<std::vector<PositionRow>> Reader::Positions(const SeriesFilter& filter, std::size_t limit,
                                                   QueryBounds bounds) {
  Scope scope(this, std::move(bounds));
  if (Status begun = scope.Begin(); !begun.ok()) return begun.error();
  auto selected = Select(filter);
  if (!selected.ok()) return selected.error();
  auto& series = selected.value().series;
  series.erase(std::remove_if(series.begin(), series.end(),
                              [](const Selected& one) { return one.totals.position_row == 0; }),
               series.end());
  KeepLatest(limit, &selected.value());
  std::vector<PositionRow> positions;
  for (const Selected& one : series) {
    auto row = RowAt(one.totals.position_row);
    if (!row.ok()) return row.error();
    const auto position = PositionOf(row.value().payload_json);
    if (!position) continue;
    positions.push_back({.names = std::move(row.value().names),
                         .latitude = position->latitude,
                         .longitude = position->longitude,
                         .timestamp_ns = one.totals.position_ns});
  }
  return positions;
}

Result<NewRows> Reader::NewerThan(std::int64_t after, std::size_t limit, QueryBounds bounds) {
  Scope scope(this, std::move(bounds));
  if (Status begun = scope.Begin(); !begun.ok()) return begun.error();
  NewRows rows{.events = {}, .newest_row = newest_, .skipped = 0};
  const std::int64_t most = static_cast<std::int64_t>(limit);
  const std::int64_t oldest = std::max(after, newest_ - most);
  rows.skipped = std::max<std::int64_t>(oldest - after, 0);
  for (std::int64_t row = newest_; row > oldest; --row) {
    auto event = RowAt(row);
    if (!event.ok()) return event.error();
    rows.events.push_back(std::move(event).value());
  }
  return rows;
}

Result<std::int64_t> Reader::CountEvents(QueryBounds bounds) {
  Scope scope(this, std::move(bounds));
  if (Status begun = scope.Begin(); !begun.ok()) return begun.error();
  const auto oldest = ReadNumber("SELECT ifnull(min(rowid), 1) FROM main.records");
  if (!oldest.ok()) return oldest.error();
  return newest_ - oldest.value() + 1;
}

}  // namespace collector
