// A batch as SQL reads it: a virtual table with the columns of `records`. So one INSERT ... SELECT
// takes a whole batch, and costs two thirds of what a statement a row does (docs/design.md).
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <vector>

#include "collector/store/sqlite/batch.h"

namespace collector {

// On the thread of its connection, which must be closed before it goes.
class BatchTable {
 public:
  // Where a row is put.
  struct Place {
    std::int64_t key;
    std::size_t row;  // of the batch
  };
  // What is kept of an id beside its key.
  enum class Rest : std::uint8_t { kSecondHalf, kWhole };

  // Makes the table `batch` known to the connection. An SQLite result code.
  int AddTo(sqlite3* database);

  // What the table has from now on: these rows in this order. All must stay where they are.
  void Show(Batch* batch, const std::vector<Place>* places, Rest rest);

  // Those places whose row the statement that read them has not inserted, because a key was taken.
  [[nodiscard]] const std::vector<Place>& taken() const { return taken_; }

 private:
  struct Module;  // the callbacks

  void Begin();
  void Next();
  [[nodiscard]] bool AtEnd() const { return next_ == places_->size(); }
  void Column(sqlite3_context* context, int column) const;

  sqlite3* database_ = nullptr;
  Batch* batch_ = nullptr;
  const std::vector<Place>* places_ = nullptr;
  Rest rest_ = Rest::kSecondHalf;
  std::size_t next_ = 0;
  std::int64_t inserted_rowid_ = 0;  // the last one
  std::vector<Place> taken_;
};

}  // namespace collector
