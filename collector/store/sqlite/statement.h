// A prepared statement and its connection, closed with their owners.
#pragma once

#include <sqlite3.h>

#include <memory>

namespace collector {

struct SqliteClose {
  void operator()(sqlite3* database) const { sqlite3_close(database); }
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using SqliteConnection = std::unique_ptr<sqlite3, SqliteClose>;
using SqliteStatement = std::unique_ptr<sqlite3_stmt, SqliteClose>;

// Null on an error, which the connection tells.
inline SqliteStatement PrepareStatement(sqlite3* database, const char* sql) {
  sqlite3_stmt* raw = nullptr;
  sqlite3_prepare_v3(database, sql, -1, SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  return SqliteStatement(raw);
}

}  // namespace collector
