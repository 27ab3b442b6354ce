// The embedded store's file: opened or refused with a clear error, and written a batch at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "collector/base/result.h"
#include "collector/store/sqlite/batch.h"
#include "collector/store/sqlite/batch_table.h"
#include "collector/store/sqlite/schema.h"
#include "collector/store/sqlite/series.h"
#include "collector/store/sqlite/statement.h"

namespace collector {

// One connection, one thread at a time. Every method blocks on the disk.
class Database {
 public:
  // Opens `path`, creates the schema in a new file. Refuses, naming the path and what to do: a
  // directory that is not there, a file that is no database or another application's, a newer
  // or older schema, a file or directory that cannot be written, a full disk.
  static Result<std::unique_ptr<Database>> Open(const std::string& path);
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Writes all rows in one transaction and sets each row's outcome. On an error nothing of the
  // batch is stored, and every row's outcome is kNotNow.
  Status Commit(Batch* batch);

  // Copies the log into the database if that is due: for a moment when nobody waits.
  void Tidy();

 private:
  using Place = BatchTable::Place;

  explicit Database(std::string path) : path_(std::move(path)) {}
  Status Prepare();
  Status CheckIsOurs();
  Status Execute(const char* sql);
  Result<std::int64_t> ReadNumber(const char* sql);
  static int OnWal(void* self, sqlite3* database, const char* name, int pages);
  Status Run(sqlite3_stmt* statement);
  Status FindSeries(Batch* batch);
  Status StoreRows(Batch* batch);
  Status StoreBeside(Batch* batch, const Place& taken);
  Result<bool> HasKey(std::int64_t key, bool is_its_own, const EventId& id);
  [[nodiscard]] Error LastError(const std::string& what);

  std::string path_;
  bool busy_ = false;   // the last error was that another process holds a lock
  int wal_pages_ = 0;   // after the last commit
  int wal_copied_ = 0;  // when there were so many
  std::int64_t commit_began_ns_ = 0;
  std::int64_t second_pages_ = kCheckpointPages;  // that this disk writes in a second, or more
  bool copy_due_ = false;
  BatchTable table_;
  SqliteConnection database_;
  SqliteStatement begin_;
  SqliteStatement insert_;
  SqliteStatement select_;
  SqliteStatement commit_;
  std::unique_ptr<SeriesTable> series_;
  // The order to insert a batch in, and what is left of it; reused.
  std::vector<Place> order_;
  std::vector<Place> taken_;
};

}  // namespace collector
