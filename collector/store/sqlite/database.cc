#include "collector/store/sqlite/database.h"

#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>
#include <utility>

#include "collector/base/clock.h"
#include "collector/base/random.h"

namespace collector {
namespace {

constexpr int kBusyTimeoutMs = 5'000;  // another process may write the same file
// Not ON CONFLICT, with which a statement may fail half-way: SQLite then keeps a copy of each page
// that it changes, to undo it.
constexpr const char* kInsert = "INSERT OR IGNORE INTO records SELECT * FROM batch";
constexpr const char* kSelect = "SELECT rest FROM records WHERE key = ?1";

// A write, even where there is nothing to change, shows at once what cannot be written.
std::string Schema() {
  return "BEGIN IMMEDIATE; PRAGMA application_id=" + std::to_string(kApplicationId) +
         "; PRAGMA user_version=" + std::to_string(kSchemaVersion) + "; " + kCreate + "; COMMIT";
}

std::string Advice(int code) {
  switch (code & 0xff) {
    case SQLITE_NOTADB:
      return "it is not a database; name another file with --sqlite-path";
    case SQLITE_CORRUPT:
      return "the database is damaged; restore it from a backup or name another file";
    case SQLITE_READONLY:
      return "it cannot be written; check the owner and mode of the file and its directory";
    case SQLITE_FULL:
      return "the disk is full; make room";
    case SQLITE_CANTOPEN:
      return "check that the file and its directory may be written, and are not mounted read-only";
    case SQLITE_BUSY:
      return "another process keeps it locked";
    default:
      return "check the disk";
  }
}

}  // namespace

Error Database::LastError(const std::string& what) {
  const int code = sqlite3_extended_errcode(database_.get());
  busy_ = (code & 0xff) == SQLITE_BUSY;
  return {ErrorCode::kUnavailable,
          path_ + ": " + what + ": " + sqlite3_errmsg(database_.get()) + " (" + Advice(code) + ")"};
}

Status Database::Execute(const char* sql) {
  if (sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return LastError("cannot open the store");
  }
  return Ok{};
}

Result<std::int64_t> Database::ReadNumber(const char* sql) {
  const SqliteStatement statement = PrepareStatement(database_.get(), sql);
  if (statement == nullptr || sqlite3_step(statement.get()) != SQLITE_ROW) {
    return LastError("cannot open the store");
  }
  return std::int64_t{sqlite3_column_int64(statement.get(), 0)};
}

Result<std::unique_ptr<Database>> Database::Open(const std::string& path) {
  const std::filesystem::path directory = std::filesystem::absolute(path).parent_path();
  std::error_code ignored;
  if (!std::filesystem::is_directory(directory, ignored)) {
    return Error{ErrorCode::kUnavailable, path + ": cannot open the store: the directory " +
                                              directory.string() + " does not exist (create it)"};
  }
  // One thread uses the connection, and nobody reads SQLite's memory statistics. Refused, and
  // rightly so, when another connection is open already.
  sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  std::unique_ptr<Database> database(new Database(path));
  sqlite3* raw = nullptr;
  const int opened =
      sqlite3_open_v2(path.c_str(), &raw,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  database->database_.reset(raw);
  if (opened != SQLITE_OK) return database->LastError("cannot open the store");
  // SQLite does not wait for every lock by itself: a file of ours may be in its first moments in
  // another process, too.
  const std::int64_t give_up_ns = ReadClock().monotonic_ns + kBusyTimeoutMs * kNsPerMs;
  Status prepared = database->Prepare();
  while (!prepared.ok() && database->busy_ && ReadClock().monotonic_ns < give_up_ns) {
    sqlite3_exec(raw, "ROLLBACK", nullptr, nullptr, nullptr);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    prepared = database->Prepare();
  }
  if (!prepared.ok()) return prepared.error();
  return database;
}

Status Database::Prepare() {
  busy_ = false;
  sqlite3_busy_timeout(database_.get(), kBusyTimeoutMs);
  // In one transaction, or it might see half of what makes a file ours meanwhile.
  if (Status begun = Execute("BEGIN"); !begun.ok()) return begun;
  const Status ours = CheckIsOurs();
  sqlite3_exec(database_.get(), "COMMIT", nullptr, nullptr, nullptr);
  if (!ours.ok()) return ours;
  for (const std::string& sql : {std::string(kPragmas), Schema()}) {
    if (Status done = Execute(sql.c_str()); !done.ok()) return done;
  }
  sqlite3_wal_hook(database_.get(), OnWal, this);
  if (table_.AddTo(database_.get()) != SQLITE_OK) return LastError("cannot open the store");
  for (const auto& [sql, statement] : {std::pair{"BEGIN IMMEDIATE", &begin_},
                                       {kInsert, &insert_},
                                       {kSelect, &select_},
                                       {"COMMIT", &commit_}}) {
    *statement = PrepareStatement(database_.get(), sql);
    if (*statement == nullptr) return LastError("cannot open the store");
  }
  series_ = std::make_unique<SeriesTable>(database_.get(), RandomSeed());
  if (!series_->ok()) return LastError("cannot open the store");
  return Ok{};
}

Status Database::CheckIsOurs() {
  const auto application = ReadNumber("PRAGMA application_id");
  if (!application.ok()) return application.error();
  const auto version = ReadNumber("PRAGMA user_version");
  if (!version.ok()) return version.error();
  const auto objects = ReadNumber("SELECT count(*) FROM sqlite_schema");
  if (!objects.ok()) return objects.error();
  if (objects.value() != 0 && application.value() != kApplicationId) {
    return Error{ErrorCode::kUnavailable,
                 path_ +
                     ": is another application's database (name another file with "
                     "--sqlite-path)"};
  }
  if (objects.value() != 0 && version.value() < kSchemaVersion) {
    return Error{ErrorCode::kUnavailable,
                 path_ + ": was written by a collector before the first release (move it away)"};
  }
  if (version.value() > kSchemaVersion) {
    return Error{ErrorCode::kUnavailable, path_ + ": was written by a newer collector (schema " +
                                              std::to_string(version.value()) +
                                              ", this one knows " + std::to_string(kSchemaVersion) +
                                              "; use that version or newer)"};
  }
  return Ok{};
}

// After each commit, with the pages that are in the WAL. Not SQLite's own rule, which tries again
// at every commit while a reader keeps the WAL from starting anew: pages that many commits write
// would be copied by each of them.
int Database::OnWal(void* self, sqlite3*, const char*, int pages) {
  auto* const database = static_cast<Database*>(self);
  int before = std::exchange(database->wal_pages_, pages);
  if (pages <= before) before = database->wal_copied_ = 0;  // it has begun anew
  const int written = pages - before;
  std::int64_t due = kSmallCheckpointPages;
  if (written > kSmallCommitPages) {
    const std::int64_t took_ns = ReadClock().monotonic_ns - database->commit_began_ns_;
    const std::int64_t pages_per_s = written * kNsPerSecond / std::max<std::int64_t>(took_ns, 1);
    // Of several commits, because one that was held up says nothing.
    std::int64_t* const second_pages = &database->second_pages_;
    *second_pages += (std::min<std::int64_t>(pages_per_s, kCheckpointPages) - *second_pages) / 4;
    due = std::max<std::int64_t>(*second_pages, kSmallCheckpointPages);
  }
  database->copy_due_ = pages - database->wal_copied_ >= due;
  return SQLITE_OK;
}

void Database::Tidy() {
  if (!std::exchange(copy_due_, false)) return;
  // What cannot be copied now is copied later.
  sqlite3_wal_checkpoint_v2(database_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  wal_copied_ = wal_pages_;
}

Status Database::Run(sqlite3_stmt* statement) {
  const int stepped = sqlite3_step(statement);
  sqlite3_reset(statement);
  if (stepped != SQLITE_DONE) return LastError("cannot store events");
  return Ok{};
}

Status Database::FindSeries(Batch* batch) {
  for (Row& row : batch->rows()) {
    const std::optional<std::int64_t> series = series_->IdOf(row, batch->NamesOf(row));
    if (!series) return LastError("cannot store events");
    row.series = *series;
  }
  return Ok{};
}

// In the order of their ids, so that the index is walked once.
Status Database::StoreRows(Batch* batch) {
  order_.clear();
  for (std::size_t i = 0; i < batch->size(); ++i) {
    order_.push_back({.key = HalfOf(batch->rows()[i].id, 0), .row = i});
  }
  std::sort(order_.begin(), order_.end(),
            [](const Place& left, const Place& right) { return left.key < right.key; });
  table_.Show(batch, &order_, BatchTable::Rest::kSecondHalf);
  if (Status done = Run(insert_.get()); !done.ok()) return done;
  taken_ = table_.taken();
  CHECK(order_.size() - taken_.size() ==
        static_cast<std::size_t>(sqlite3_changes(database_.get())));
  for (const Place& place : taken_) {
    if (Status done = StoreBeside(batch, place); !done.ok()) return done;
  }
  return Ok{};
}

// The row's key is taken: by this very event, or by one whose id begins alike.
Status Database::StoreBeside(Batch* batch, const Place& taken) {
  Row& row = batch->rows()[taken.row];
  for (std::int64_t key = taken.key;; ++key) {
    const Result<bool> same = HasKey(key, key == taken.key, row.id);
    if (!same.ok()) return same.error();
    if (same.value()) {
      row.outcome = Outcome::kDuplicate;
      return Ok{};
    }
    order_.assign({{.key = key + 1, .row = taken.row}});
    table_.Show(batch, &order_, BatchTable::Rest::kWhole);
    if (Status done = Run(insert_.get()); !done.ok()) return done;
    if (table_.taken().empty()) return Ok{};
  }
}

// Whether the row with this key is of the event with this id.
Result<bool> Database::HasKey(std::int64_t key, bool is_its_own, const EventId& id) {
  sqlite3_stmt* select = select_.get();
  sqlite3_bind_int64(select, 1, key);
  const int stepped = sqlite3_step(select);
  bool same = false;
  if (sqlite3_column_type(select, 0) == SQLITE_INTEGER) {
    same = is_its_own && sqlite3_column_int64(select, 0) == HalfOf(id, 8);
  } else if (sqlite3_column_bytes(select, 0) == static_cast<int>(id.size())) {
    same = std::memcmp(sqlite3_column_blob(select, 0), id.data(), id.size()) == 0;
  }
  sqlite3_reset(select);
  if (stepped != SQLITE_ROW) return LastError("cannot store events");
  return same;
}

Status Database::Commit(Batch* batch) {
  Status status = Run(begin_.get());
  if (status.ok()) status = FindSeries(batch);
  if (status.ok()) status = StoreRows(batch);
  commit_began_ns_ = ReadClock().monotonic_ns;
  if (status.ok()) status = Run(commit_.get());
  if (status.ok()) return status;
  if (sqlite3_get_autocommit(database_.get()) == 0) {
    sqlite3_exec(database_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
  series_->Forget();
  for (Row& row : batch->rows()) row.outcome = Outcome::kNotNow;
  return status;
}

}  // namespace collector
