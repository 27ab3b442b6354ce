#include "client/stored/sqlite_events.h"

#include <sqlite3.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "collector/base/nanoseconds.h"

namespace collector::client {
namespace {

constexpr int kBusyTimeoutMs = 10'000;
constexpr std::int64_t kRowsAtOnce = 10'000;
constexpr std::int64_t kKeysPerMs = 65'536;  // docs/configuration.md: "The store's file"
constexpr std::int64_t kMsMax = (std::int64_t{1} << 47) - 1;
// Where a key was taken a row has the next free one.
constexpr std::int64_t kKeysBeyond = 1'000 * kKeysPerMs;

constexpr const char* kSpanSql =
    "SELECT records.rowid, name_space, sender, origin, type, value, payload, timestamp_ns,"
    " received_ns FROM records JOIN series ON series.id = records.series"
    " WHERE records.key BETWEEN ?1 AND ?2 AND timestamp_ns BETWEEN ?3 AND ?4";
constexpr const char* kNewSql =
    "SELECT records.rowid, name_space, sender, origin, type, value, payload, timestamp_ns,"
    " received_ns FROM records JOIN series ON series.id = records.series"
    " WHERE records.rowid > ?1 ORDER BY records.rowid LIMIT ?2";
constexpr const char* kLastSql = "SELECT coalesce(max(rowid), 0) FROM records";

enum Column { kRow, kNamespace, kSender, kOrigin, kType, kValue, kPayload, kTimestamp, kReceived };

struct Close {
  void operator()(sqlite3* database) const { sqlite3_close(database); }
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Close>;

std::string_view TextOf(sqlite3_stmt* statement, int column) {
  const unsigned char* text = sqlite3_column_text(statement, column);
  if (text == nullptr) return {};
  return {reinterpret_cast<const char*>(text),
          static_cast<std::size_t>(sqlite3_column_bytes(statement, column))};
}

Json ValueOf(sqlite3_stmt* statement) {
  switch (sqlite3_column_type(statement, kValue)) {
    case SQLITE_INTEGER:
      return sqlite3_column_int64(statement, kValue);
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement, kValue);
    case SQLITE_TEXT:
      return std::string(TextOf(statement, kValue));
    default:
      return nullptr;
  }
}

// False: the payload is none.
bool ReadEvent(sqlite3_stmt* statement, StoredEvent* stored) {
  Event& event = stored->event;
  event.name_space = TextOf(statement, kNamespace);
  event.sender = TextOf(statement, kSender);
  event.origin = TextOf(statement, kOrigin);
  event.timestamp_ns = sqlite3_column_int64(statement, kTimestamp);
  stored->received_ns = sqlite3_column_int64(statement, kReceived);
  const std::string_view payload = TextOf(statement, kPayload);
  if (!payload.empty()) return SetPayload(Json::parse(payload, nullptr, false), &event);
  event.type = TextOf(statement, kType);
  event.value = ValueOf(statement);
  return !event.value.is_null();
}

class SqliteEvents : public StoredEvents {
 public:
  explicit SqliteEvents(std::string path) : path_(std::move(path)) {}

  Status Open() {
    sqlite3* database = nullptr;
    const int opened = sqlite3_open_v2(path_.c_str(), &database, SQLITE_OPEN_READONLY, nullptr);
    database_.reset(database);
    if (opened != SQLITE_OK) return LastError();
    sqlite3_busy_timeout(database, kBusyTimeoutMs);
    for (const auto& [statement, sql] :
         {std::pair{&span_, kSpanSql}, {&new_, kNewSql}, {&last_, kLastSql}}) {
      sqlite3_stmt* prepared = nullptr;
      if (sqlite3_prepare_v2(database, sql, -1, &prepared, nullptr) != SQLITE_OK) {
        return LastError();
      }
      statement->reset(prepared);
    }
    auto last = LastRow();
    if (!last.ok()) return last.error();
    row_ = last.value();
    return Ok{};
  }

  Status ReadSpan(const EventFilter& filter, std::int64_t from_ns, std::int64_t to_ns,
                  const Take& take) override {
    // Opened anew: where a collector was killed, whoever has the file open goes on without its last
    // commits. Only when all have closed it is its log read again.
    for (Statement* statement : {&span_, &new_, &last_}) statement->reset();
    database_.reset();
    if (Status opened = Open(); !opened.ok()) return opened;
    const auto key = [](std::int64_t ns) { return std::min(ns / kNsPerMs, kMsMax) * kKeysPerMs; };
    const Status bound =
        Bind(span_.get(), {key(from_ns), key(to_ns) + kKeysPerMs + kKeysBeyond, from_ns, to_ns});
    if (!bound.ok()) return bound;
    auto rows = ReadRows(span_.get(), filter, take);
    if (!rows.ok()) return rows.error();
    return Ok{};
  }

  Result<bool> ReadNew(const EventFilter& filter, const Take& take) override {
    const Status bound = Bind(new_.get(), {row_, kRowsAtOnce});
    if (!bound.ok()) return bound.error();
    auto rows = ReadRows(new_.get(), filter, take);
    if (!rows.ok()) return rows.error();
    if (rows.value() > 0) return rows.value() == kRowsAtOnce;
    auto last = LastRow();  // lower: rows were deleted, and their numbers come again
    if (!last.ok()) return last.error();
    row_ = std::min(row_, last.value());
    return false;
  }

  [[nodiscard]] std::string name() const override { return path_; }

 private:
  [[nodiscard]] Error LastError() const {
    const char* why = database_ == nullptr ? "out of memory" : sqlite3_errmsg(database_.get());
    return {ErrorCode::kIo, "cannot read the events in '" + path_ + "': " + why};
  }

  Status Bind(sqlite3_stmt* statement, std::initializer_list<std::int64_t> values) {
    int index = 0;
    for (const std::int64_t value : values) {
      if (sqlite3_bind_int64(statement, ++index, value) != SQLITE_OK) return LastError();
    }
    return Ok{};
  }

  Result<std::int64_t> LastRow() {
    const bool is_row = sqlite3_step(last_.get()) == SQLITE_ROW;
    const std::int64_t last = is_row ? sqlite3_column_int64(last_.get(), 0) : 0;
    if (sqlite3_reset(last_.get()) != SQLITE_OK || !is_row) return LastError();
    return last;
  }

  // How many rows there were, whether they pass the filter or not.
  Result<std::int64_t> ReadRows(sqlite3_stmt* statement, const EventFilter& filter,
                                const Take& take) {
    std::int64_t rows = 0;
    bool damaged = false;
    while (sqlite3_step(statement) == SQLITE_ROW) {
      ++rows;
      row_ = statement == new_.get() ? sqlite3_column_int64(statement, kRow) : row_;
      if (!filter.Takes(TextOf(statement, kNamespace), TextOf(statement, kSender),
                        TextOf(statement, kOrigin), TextOf(statement, kType))) {
        continue;
      }
      StoredEvent stored;
      if (ReadEvent(statement, &stored)) {
        take(std::move(stored));
      } else {
        damaged = true;
      }
    }
    if (sqlite3_reset(statement) != SQLITE_OK) return LastError();
    if (damaged) {
      return Error{ErrorCode::kIo, "'" + path_ + "' holds an event without a readable payload"};
    }
    return rows;
  }

  const std::string path_;
  std::unique_ptr<sqlite3, Close> database_;
  Statement span_;
  Statement new_;
  Statement last_;
  std::int64_t row_ = 0;  // the last one that ReadNew has passed
};

}  // namespace

Result<std::unique_ptr<StoredEvents>> OpenSqliteEvents(const std::string& path) {
  auto events = std::make_unique<SqliteEvents>(path);
  if (Status opened = events->Open(); !opened.ok()) return opened.error();
  return std::unique_ptr<StoredEvents>(std::move(events));
}

}  // namespace collector::client
