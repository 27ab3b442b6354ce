// The embedded store's file: opened or refused with a clear error, and written a batch at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "collector/base/result.h"
#include "collector/store/sqlite/batch.h"

struct sqlite3;
struct sqlite3_stmt;

namespace collector {

// What `events` looks like; a file of a newer collector is refused, not guessed at.
inline constexpr int kSchemaVersion = 1;

// One connection, one thread at a time. Every method blocks on the disk.
class Database {
 public:
  // Opens `path`, creates the schema in a new file. Refuses, naming the path and what to do: a
  // directory that is not there, a file that is no database or another application's, a newer
  // schema, a file or directory that cannot be written, a full disk.
  static Result<std::unique_ptr<Database>> Open(const std::string& path);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Writes all rows in one transaction and sets each row's outcome. On an error nothing of the
  // batch is stored, and every row's outcome is kNotNow.
  Status Commit(Batch* batch);

 private:
  explicit Database(std::string path) : path_(std::move(path)) {}
  Status Prepare();
  Status CheckIsOurs();
  Status Execute(const char* sql);
  Result<std::int64_t> ReadNumber(const char* sql);
  Status InsertRow(const Batch& batch, Row* row);
  [[nodiscard]] Error LastError(const std::string& what) const;

  struct Close {
    void operator()(sqlite3* database) const;
    void operator()(sqlite3_stmt* statement) const;
  };
  std::string path_;
  std::unique_ptr<sqlite3, Close> database_;
  std::unique_ptr<sqlite3_stmt, Close> begin_;
  std::unique_ptr<sqlite3_stmt, Close> insert_;
  std::unique_ptr<sqlite3_stmt, Close> commit_;
  // The order to insert a batch in; reused.
  struct Place {
    std::uint64_t id_prefix;
    std::size_t row;
  };
  std::vector<Place> order_;
};

}  // namespace collector
