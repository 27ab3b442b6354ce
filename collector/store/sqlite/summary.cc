#include "collector/store/sqlite/summary.h"

#include <algorithm>
#include <filesystem>

#include "collector/store/sqlite/position.h"

namespace collector {
namespace {

constexpr int kSummaryBusyTimeoutMs = 5'000;
constexpr int kVersion = 1;
// Of one read of the events: a reader in the middle keeps their log from being started over.
constexpr std::int64_t kSliceRows = 2'000;

// Buckets begin at `start` times their level's milliseconds. Nothing is synced but before the log
// is copied: after a power cut the last passes are made again.
constexpr const char* kSchema =
    "PRAGMA synchronous=OFF; PRAGMA journal_mode=WAL;"
    "PRAGMA wal_autocheckpoint=2048; PRAGMA journal_size_limit=16777216; PRAGMA cache_size=-2000;"
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS state ("
    " one INTEGER PRIMARY KEY CHECK (one = 1),"
    " upto INTEGER NOT NULL,"     // rows up to this one are in here
    " upto_key INTEGER NOT NULL"  // its key
    ");"
    "INSERT OR IGNORE INTO state VALUES (1, 0, 0);"
    "CREATE TABLE IF NOT EXISTS kept ("
    " level INTEGER PRIMARY KEY,"
    " from_start INTEGER NOT NULL"  // its sums are complete from this start on
    ");"
    "INSERT OR IGNORE INTO kept VALUES (0, 0), (1, 0), (2, 0), (3, 0);"
    "CREATE TABLE IF NOT EXISTS totals ("
    " series INTEGER PRIMARY KEY, count INTEGER, first_ns INTEGER, last_ns INTEGER,"
    " last_row INTEGER, position_row INTEGER, position_ns INTEGER);"
    "CREATE TABLE IF NOT EXISTS sums ("
    " level INTEGER, start INTEGER, series INTEGER,"
    " count INTEGER, sum REAL, min REAL, max REAL,"
    " PRIMARY KEY (level, start, series)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS places ("
    " start INTEGER, series INTEGER, rows BLOB,"
    " PRIMARY KEY (start, series)) WITHOUT ROWID;"
    "PRAGMA user_version=1;"  // kVersion
    "COMMIT; PRAGMA synchronous=NORMAL";

constexpr const char* kNextRows =
    "SELECT rowid, key, timestamp_ns, series, value,"
    " CASE WHEN value IS NULL THEN payload END"
    " FROM records WHERE rowid > ?1 ORDER BY rowid LIMIT ?2";
constexpr const char* kAddSums =
    "INSERT INTO sums VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
    " ON CONFLICT DO UPDATE SET count = count + excluded.count, sum = sum + excluded.sum,"
    " min = min(min, excluded.min), max = max(max, excluded.max)";
constexpr const char* kAddPlaces =
    "INSERT INTO places VALUES (?1, ?2, ?3)"
    " ON CONFLICT DO UPDATE SET rows = CAST(rows || excluded.rows AS BLOB)";
constexpr const char* kAddTotals =
    "INSERT INTO totals VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
    " ON CONFLICT DO UPDATE SET count = count + excluded.count,"
    " first_ns = min(first_ns, excluded.first_ns),"
    " last_row = iif(excluded.last_ns >= last_ns, excluded.last_row, last_row),"
    " last_ns = max(last_ns, excluded.last_ns),"
    " position_row = iif(excluded.position_row > 0 AND excluded.position_ns >= position_ns,"
    "  excluded.position_row, position_row),"
    " position_ns = max(position_ns, excluded.position_ns)";
constexpr const char* kSetState = "UPDATE state SET upto = ?1, upto_key = ?2";

void AppendNumber(std::uint64_t number, std::string* bytes) {
  for (; number >= 0x80; number >>= 7) bytes->push_back(static_cast<char>(number | 0x80));
  bytes->push_back(static_cast<char>(number));
}

std::uint64_t TakeNumber(std::string_view* bytes) {
  std::uint64_t number = 0;
  for (unsigned shift = 0; !bytes->empty() && shift < 64; shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes->front());
    bytes->remove_prefix(1);
    number |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return number;
}

struct Bucket {
  std::int64_t start = 0;  // in units of its level
  std::int64_t series = 0;
  Sums sums;
};

// One for each start and series, in their order.
void Merge(std::vector<Bucket>* buckets) {
  const auto key_of = [](const Bucket& bucket) { return std::pair(bucket.start, bucket.series); };
  std::stable_sort(buckets->begin(), buckets->end(),
                   [&](const Bucket& a, const Bucket& b) { return key_of(a) < key_of(b); });
  auto last = buckets->begin();
  for (auto next = buckets->begin(); next != buckets->end(); ++next) {
    if (next == last) continue;
    if (key_of(*next) == key_of(*last)) {
      last->sums.Add(next->sums);
    } else {
      *++last = *next;
    }
  }
  if (last != buckets->end()) buckets->erase(last + 1, buckets->end());
}

}  // namespace

void Totals::Add(std::int64_t row, std::int64_t timestamp_ns, bool is_position) {
  first_ns = count == 0 ? timestamp_ns : std::min(first_ns, timestamp_ns);
  if (count == 0 || timestamp_ns >= last_ns) {
    last_ns = timestamp_ns;
    last_row = row;
  }
  if (is_position && timestamp_ns >= position_ns) {
    position_ns = timestamp_ns;
    position_row = row;
  }
  ++count;
}

std::string EncodePlaces(const std::vector<std::int64_t>& rows) {
  std::string bytes;
  if (rows.empty()) return bytes;
  AppendNumber(static_cast<std::uint64_t>(rows.front()), &bytes);
  AppendNumber(rows.size() - 1, &bytes);
  for (std::size_t i = 1; i < rows.size(); ++i) {
    AppendNumber(static_cast<std::uint64_t>(rows[i] - rows[i - 1]), &bytes);
  }
  return bytes;
}

void DecodePlaces(std::string_view bytes, std::vector<std::int64_t>* rows) {
  while (!bytes.empty()) {
    std::uint64_t row = TakeNumber(&bytes);
    std::uint64_t more = TakeNumber(&bytes);
    rows->push_back(static_cast<std::int64_t>(row));
    for (; more > 0 && !bytes.empty(); --more) {
      row += TakeNumber(&bytes);
      rows->push_back(static_cast<std::int64_t>(row));
    }
  }
}

// kInvalid: the file can only be made again.
Error Summary::LastError(sqlite3* connection) {
  const int code = sqlite3_errcode(connection) & 0xff;
  const bool damaged =
      connection == summary_.get() && (code == SQLITE_CORRUPT || code == SQLITE_NOTADB);
  return {damaged ? ErrorCode::kInvalid : ErrorCode::kUnavailable,
          (connection == summary_.get() ? PathOf(database_path_) : database_path_) + ": " +
              sqlite3_errmsg(connection)};
}

Status Summary::Execute(sqlite3* connection, const char* sql) {
  if (sqlite3_exec(connection, sql, nullptr, nullptr, nullptr) == SQLITE_OK) return Ok{};
  Error error = LastError(connection);
  if (sqlite3_get_autocommit(connection) == 0) {
    sqlite3_exec(connection, "ROLLBACK", nullptr, nullptr, nullptr);
  }
  return error;
}

Result<std::int64_t> Summary::ReadNumber(sqlite3* connection, const char* sql) {
  const SqliteStatement statement = PrepareStatement(connection, sql);
  if (statement == nullptr || sqlite3_step(statement.get()) != SQLITE_ROW) {
    return LastError(connection);
  }
  return std::int64_t{sqlite3_column_int64(statement.get(), 0)};
}

Result<std::unique_ptr<Summary>> Summary::Open(const std::string& database,
                                               const std::atomic<bool>* stop) {
  std::unique_ptr<Summary> summary(new Summary(database, stop));
  Status prepared = summary->Prepare();
  if (prepared.ok()) return summary;
  if (prepared.error().code != ErrorCode::kInvalid) return prepared.error();
  summary.reset(new Summary(database, stop));
  for (const char* suffix : {"", "-wal", "-shm"}) {
    std::error_code ignored;
    std::filesystem::remove(PathOf(database) + suffix, ignored);
  }
  prepared = summary->Prepare();
  if (!prepared.ok()) return prepared.error();
  return summary;
}

Status Summary::Prepare() {
  const auto open = [](const std::string& path, int flags, SqliteConnection* connection) {
    sqlite3* raw = nullptr;
    const int opened = sqlite3_open_v2(path.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX, nullptr);
    connection->reset(raw);
    sqlite3_busy_timeout(raw, kSummaryBusyTimeoutMs);
    return opened == SQLITE_OK;
  };
  if (!open(database_path_, SQLITE_OPEN_READONLY, &events_)) return LastError(events_.get());
  if (!open(PathOf(database_path_), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &summary_)) {
    return LastError(summary_.get());
  }
  const auto version = ReadNumber(summary_.get(), "PRAGMA user_version");
  if (!version.ok()) return version.error();
  if (version.value() != 0 && version.value() != kVersion) {
    return Error{ErrorCode::kInvalid, PathOf(database_path_) + ": is of another version"};
  }
  if (Status done = Execute(summary_.get(), kSchema); !done.ok()) return done;
  // Read once, from the first to the last.
  if (Status done = Execute(events_.get(), "PRAGMA cache_size=-128"); !done.ok()) return done;
  next_rows_ = PrepareStatement(events_.get(), kNextRows);
  if (next_rows_ == nullptr) return LastError(events_.get());
  for (const auto& [sql, statement] : {std::pair{kAddSums, &add_sums_},
                                       {kAddPlaces, &add_places_},
                                       {kAddTotals, &add_totals_},
                                       {kSetState, &set_state_}}) {
    *statement = PrepareStatement(summary_.get(), sql);
    if (*statement == nullptr) return LastError(summary_.get());
  }
  return Ok{};
}

Result<std::int64_t> Summary::Behind() {
  const auto newest = ReadNumber(events_.get(), "SELECT ifnull(max(rowid), 0) FROM records");
  if (!newest.ok()) return newest.error();
  const auto upto = ReadNumber(summary_.get(), "SELECT upto FROM state");
  if (!upto.ok()) return upto.error();
  return newest.value() - upto.value();
}

Result<Summary::Progress> Summary::Pass(std::int64_t wall_ns) {
  // From here on no other process makes a pass, and `upto` stays.
  if (Status begun = Execute(summary_.get(), "BEGIN IMMEDIATE"); !begun.ok()) return begun.error();
  Pending pending;
  Status done = StartOverIfOther();
  if (done.ok()) done = Collect(&pending);
  if (done.ok() && !pending.rows.empty()) done = Write(&pending, wall_ns);
  if (done.ok()) done = Execute(summary_.get(), "COMMIT");
  if (!done.ok()) {
    if (sqlite3_get_autocommit(summary_.get()) == 0) {
      sqlite3_exec(summary_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
    }
    return done.error();
  }
  const auto behind = Behind();
  if (!behind.ok()) return behind.error();
  return Progress{.taken = std::ssize(pending.rows), .behind = behind.value()};
}

// A database that was restored or replaced does not have the row that was summarised last.
Status Summary::StartOverIfOther() {
  const auto upto = ReadNumber(summary_.get(), "SELECT upto FROM state");
  if (!upto.ok()) return upto.error();
  const auto key = ReadNumber(summary_.get(), "SELECT upto_key FROM state");
  if (!key.ok()) return key.error();
  if (upto.value() == 0) return Ok{};
  const auto same = ReadNumber(
      events_.get(), ("SELECT count(*) FROM records WHERE rowid = " + std::to_string(upto.value()) +
                      " AND key = " + std::to_string(key.value()))
                         .c_str());
  if (!same.ok()) return same.error();
  if (same.value() == 1) return Ok{};
  return Execute(summary_.get(),
                 "DELETE FROM sums; DELETE FROM places; DELETE FROM totals;"
                 "UPDATE state SET upto = 0, upto_key = 0; UPDATE kept SET from_start = 0");
}

Status Summary::Collect(Pending* pending) {
  const auto upto = ReadNumber(summary_.get(), "SELECT upto FROM state");
  if (!upto.ok()) return upto.error();
  pending->upto = upto.value();
  pending->rows.reserve(kPassRowsMax);  // touched as far as there are rows
  for (std::int64_t left = kPassRowsMax; left > 0;) {
    const std::int64_t rows = std::min(left, kSliceRows);
    const std::size_t before = pending->rows.size();
    if (Status taken = Take(pending, rows); !taken.ok()) return taken;
    if (pending->rows.size() - before < static_cast<std::size_t>(rows)) break;
    left -= rows;
  }
  return Ok{};
}

Status Summary::Take(Pending* pending, std::int64_t rows) {
  sqlite3_stmt* next = next_rows_.get();
  sqlite3_bind_int64(next, 1, pending->upto);
  sqlite3_bind_int64(next, 2, rows);
  int stepped = SQLITE_ROW;
  while (!stopped() && (stepped = sqlite3_step(next)) == SQLITE_ROW) {
    Row& row = pending->rows.emplace_back();
    row.row = pending->upto = sqlite3_column_int64(next, 0);
    row.timestamp_ns = sqlite3_column_int64(next, 2);
    row.series = sqlite3_column_int64(next, 3);
    const int type = sqlite3_column_type(next, 4);
    row.is_number = type == SQLITE_INTEGER || type == SQLITE_FLOAT;
    if (row.is_number) row.value = sqlite3_column_double(next, 4);
    const auto* payload = static_cast<const char*>(sqlite3_column_blob(next, 5));
    row.is_position =
        payload != nullptr &&
        PositionOf({payload, static_cast<std::size_t>(sqlite3_column_bytes(next, 5))}).has_value();
    pending->upto_key = sqlite3_column_int64(next, 1);
  }
  sqlite3_reset(next);
  if (stopped()) return Stopped();
  if (stepped != SQLITE_DONE) return LastError(events_.get());
  return Ok{};
}

Error Summary::Stopped() const {
  return {ErrorCode::kUnavailable, PathOf(database_path_) + ": stopped"};
}

Status Summary::Run(sqlite3_stmt* statement) {
  if (stopped()) return Stopped();
  const int stepped = sqlite3_step(statement);
  sqlite3_reset(statement);
  if (stepped != SQLITE_DONE) return LastError(summary_.get());
  return Ok{};
}

Status Summary::Write(Pending* pending, std::int64_t wall_ns) {
  if (Status done = ForgetBefore(wall_ns); !done.ok()) return done;
  if (Status done = WriteSums(pending->rows); !done.ok()) return done;
  if (Status done = WritePlaces(&pending->rows); !done.ok()) return done;
  if (Status done = WriteTotals(&pending->rows); !done.ok()) return done;
  sqlite3_bind_int64(set_state_.get(), 1, pending->upto);
  sqlite3_bind_int64(set_state_.get(), 2, pending->upto_key);
  return Run(set_state_.get());
}

// Where the sums of a level begin moves a day at a time, and never back.
Status Summary::ForgetBefore(std::int64_t wall_ns) {
  const std::int64_t today = wall_ns / kNsPerMs / kLevelMs.back();
  for (std::size_t level = 0; level < kLevelMs.size(); ++level) {
    const std::string of_level = " WHERE level = " + std::to_string(level);
    const auto from =
        ReadNumber(summary_.get(), ("SELECT from_start FROM kept" + of_level).c_str());
    if (!from.ok()) return from.error();
    kept_from_[level] = from.value();
    const std::int64_t start =
        (today - kLevelKeptDays[level]) * (kLevelMs.back() / kLevelMs[level]);
    if (kLevelKeptDays[level] == 0 || start <= from.value()) continue;
    kept_from_[level] = start;
    const std::string sql = "DELETE FROM sums" + of_level + " AND start < " +
                            std::to_string(start) +
                            "; UPDATE kept SET from_start = " + std::to_string(start) + of_level;
    if (Status done = Execute(summary_.get(), sql.c_str()); !done.ok()) return done;
  }
  return Ok{};
}

Status Summary::WriteSums(const std::vector<Row>& rows) {
  std::vector<Bucket> buckets;
  buckets.reserve(rows.size());
  for (const Row& row : rows) {
    if (!row.is_number) continue;
    buckets.push_back({row.timestamp_ns / kNsPerMs / kLevelMs[0], row.series,
                       Sums{1, row.value, row.value, row.value}});
  }
  sqlite3_stmt* add = add_sums_.get();
  for (std::size_t level = 0; level < kLevelMs.size(); ++level) {
    // Each level is made of the one below, which is smaller than the rows.
    const std::int64_t ratio = level == 0 ? 1 : kLevelMs[level] / kLevelMs[level - 1];
    for (Bucket& bucket : buckets) bucket.start /= ratio;
    Merge(&buckets);
    for (const Bucket& bucket : buckets) {
      if (bucket.start < kept_from_[level]) continue;
      sqlite3_bind_int64(add, 1, static_cast<std::int64_t>(level));
      sqlite3_bind_int64(add, 2, bucket.start);
      sqlite3_bind_int64(add, 3, bucket.series);
      sqlite3_bind_int64(add, 4, bucket.sums.count);
      sqlite3_bind_double(add, 5, bucket.sums.sum);
      sqlite3_bind_double(add, 6, bucket.sums.min);
      sqlite3_bind_double(add, 7, bucket.sums.max);
      if (Status done = Run(add); !done.ok()) return done;
    }
  }
  return Ok{};
}

Status Summary::WritePlaces(std::vector<Row>* rows) {
  const auto key_of = [](const Row& row) {
    return std::pair(row.timestamp_ns / kNsPerMs / kLevelMs[kPlacesLevel], row.series);
  };
  std::sort(rows->begin(), rows->end(), [&](const Row& a, const Row& b) {
    return std::pair(key_of(a), a.row) < std::pair(key_of(b), b.row);
  });
  sqlite3_stmt* add = add_places_.get();
  std::vector<std::int64_t> places;
  for (auto first = rows->begin(); first != rows->end();) {
    const auto [start, series] = key_of(*first);
    places.clear();
    for (; first != rows->end() && key_of(*first) == std::pair(start, series); ++first) {
      places.push_back(first->row);
    }
    const std::string bytes = EncodePlaces(places);
    sqlite3_bind_int64(add, 1, start);
    sqlite3_bind_int64(add, 2, series);
    sqlite3_bind_blob(add, 3, bytes.data(), static_cast<int>(bytes.size()), SQLITE_STATIC);
    if (Status done = Run(add); !done.ok()) return done;
  }
  return Ok{};
}

Status Summary::WriteTotals(std::vector<Row>* rows) {
  std::sort(rows->begin(), rows->end(), [](const Row& a, const Row& b) {
    return std::pair(a.series, a.row) < std::pair(b.series, b.row);
  });
  sqlite3_stmt* add = add_totals_.get();
  for (auto first = rows->begin(); first != rows->end();) {
    const std::int64_t series = first->series;
    Totals totals;
    for (; first != rows->end() && first->series == series; ++first) {
      totals.Add(first->row, first->timestamp_ns, first->is_position);
    }
    int column = 1;
    for (const std::int64_t number : {series, totals.count, totals.first_ns, totals.last_ns,
                                      totals.last_row, totals.position_row, totals.position_ns}) {
      sqlite3_bind_int64(add, column++, number);
    }
    if (Status done = Run(add); !done.ok()) return done;
  }
  return Ok{};
}

}  // namespace collector
