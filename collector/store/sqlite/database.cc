#include "collector/store/sqlite/database.h"

#include <sqlite3.h>

#include <algorithm>
#include <filesystem>

namespace collector {
namespace {

constexpr int kBusyTimeoutMs = 5'000;  // another process may write the same file
// "coap" in the file's header: how a file of ours is told from any other database.
constexpr std::int64_t kApplicationId = 0x636f6170;

// Rows are appended as they come, with the id in an index of its own: devices' clocks differ by
// seconds, and rows kept in the order of their ids would touch a page each (docs/design.md).
constexpr const char* kCreate =
    "CREATE TABLE IF NOT EXISTS events ("
    " id BLOB NOT NULL UNIQUE,"        // 16 bytes, see docs/protocol.md
    " timestamp_ns INTEGER NOT NULL,"  // the event's own, or its arrival
    " name_space TEXT NOT NULL,"
    " sender TEXT NOT NULL,"
    " origin TEXT NOT NULL,"
    " type TEXT NOT NULL,"  // payload.type
    " value,"               // payload.value: number, text, boolean as 0 and 1
    " payload TEXT,"        // the payload whole, as JSON, where there is more to it
    " received_ns INTEGER NOT NULL"
    ")";
// A commit is one fsync, and is on disk when it returns. 64 MiB of WAL between checkpoints, so that
// an index page that is written by many commits is copied once; 16 MiB of pages in memory.
constexpr const char* kPragmas =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
    "PRAGMA wal_autocheckpoint=16384; PRAGMA journal_size_limit=67108864; PRAGMA cache_size=-16000";
constexpr const char* kInsert =
    "INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING";

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

// The first eight bytes as a number that sorts as they do.
std::uint64_t Prefix(const EventId& id) {
  std::uint64_t prefix = 0;
  for (std::size_t i = 0; i < 8; ++i) prefix = prefix << 8 | id[i];
  return prefix;
}

}  // namespace

void Database::Close::operator()(sqlite3* database) const { sqlite3_close(database); }
void Database::Close::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Database::~Database() = default;

Error Database::LastError(const std::string& what) const {
  const int code = sqlite3_extended_errcode(database_.get());
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
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v2(database_.get(), sql, -1, &raw, nullptr) != SQLITE_OK) {
    return LastError("cannot open the store");
  }
  const std::unique_ptr<sqlite3_stmt, Close> statement(raw);
  if (sqlite3_step(raw) != SQLITE_ROW) return LastError("cannot open the store");
  return std::int64_t{sqlite3_column_int64(raw, 0)};
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
  const Status prepared = database->Prepare();
  if (!prepared.ok()) return prepared.error();
  return database;
}

Status Database::Prepare() {
  sqlite3_busy_timeout(database_.get(), kBusyTimeoutMs);
  if (Status ours = CheckIsOurs(); !ours.ok()) return ours;
  for (const std::string& sql : {std::string(kPragmas), Schema()}) {
    if (Status done = Execute(sql.c_str()); !done.ok()) return done;
  }
  for (const auto& [sql, statement] :
       {std::pair{"BEGIN IMMEDIATE", &begin_}, {kInsert, &insert_}, {"COMMIT", &commit_}}) {
    sqlite3_stmt* raw = nullptr;
    if (sqlite3_prepare_v3(database_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &raw, nullptr) !=
        SQLITE_OK) {
      return LastError("cannot open the store");
    }
    statement->reset(raw);
  }
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
  if (version.value() > kSchemaVersion) {
    return Error{ErrorCode::kUnavailable, path_ + ": was written by a newer collector (schema " +
                                              std::to_string(version.value()) +
                                              ", this one knows " + std::to_string(kSchemaVersion) +
                                              "; use that version or newer)"};
  }
  return Ok{};
}

Status Database::InsertRow(const Batch& batch, Row* row) {
  sqlite3_stmt* insert = insert_.get();
  const char* text = batch.TextOf(*row);
  const auto bind_text = [&](int column, std::size_t bytes) {
    sqlite3_bind_text(insert, column, text, static_cast<int>(bytes), SQLITE_STATIC);
    text += bytes;
  };
  sqlite3_bind_blob(insert, 1, row->id.data(), static_cast<int>(row->id.size()), SQLITE_STATIC);
  sqlite3_bind_int64(insert, 2, row->timestamp_ns);
  bind_text(3, row->name_space_bytes);
  bind_text(4, row->sender_bytes);
  bind_text(5, row->origin_bytes);
  bind_text(6, row->type_bytes);
  if (row->payload_bytes > 0) {
    bind_text(8, row->payload_bytes);
  } else {
    sqlite3_bind_null(insert, 8);
  }
  switch (row->value_kind) {
    case Row::ValueKind::kNone:
      sqlite3_bind_null(insert, 7);
      break;
    case Row::ValueKind::kInteger:
      sqlite3_bind_int64(insert, 7, row->integer);
      break;
    case Row::ValueKind::kReal:
      sqlite3_bind_double(insert, 7, row->real);
      break;
    case Row::ValueKind::kText:
      bind_text(7, row->value_bytes);
      break;
  }
  sqlite3_bind_int64(insert, 9, row->received_ns);
  const int stepped = sqlite3_step(insert);
  sqlite3_reset(insert);
  if (stepped != SQLITE_DONE) return LastError("cannot store events");
  row->outcome = sqlite3_changes(database_.get()) == 1 ? Outcome::kStored : Outcome::kDuplicate;
  return Ok{};
}

Status Database::Commit(Batch* batch) {
  const auto run = [this](sqlite3_stmt* statement) -> Status {
    const int stepped = sqlite3_step(statement);
    sqlite3_reset(statement);
    if (stepped != SQLITE_DONE) return LastError("cannot store events");
    return Ok{};
  };
  // In the order of their ids, so that the index is walked once.
  order_.clear();
  for (std::size_t i = 0; i < batch->size(); ++i) {
    order_.push_back({.id_prefix = Prefix(batch->rows()[i].id), .row = i});
  }
  std::sort(order_.begin(), order_.end(),
            [](const Place& left, const Place& right) { return left.id_prefix < right.id_prefix; });
  Status status = run(begin_.get());
  for (const Place& place : order_) {
    if (!status.ok()) break;
    status = InsertRow(*batch, &batch->rows()[place.row]);
  }
  if (status.ok()) status = run(commit_.get());
  if (status.ok()) return status;
  if (sqlite3_get_autocommit(database_.get()) == 0) {
    sqlite3_exec(database_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
  for (Row& row : batch->rows()) row.outcome = Outcome::kNotNow;
  return status;
}

}  // namespace collector
