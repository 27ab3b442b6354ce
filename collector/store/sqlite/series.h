// Which row of the table `series` has an event's names: found without asking the database for
// those that came before.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "collector/store/sqlite/batch.h"
#include "collector/store/sqlite/statement.h"

namespace collector {

// 64-bit hashes of what was seen, in a table of 8-byte slots that grows by half when five sixths of
// it are taken, and starts over when it would grow beyond its limit. 0 is not kept.
class HashSet {
 public:
  explicit HashSet(std::size_t slots_max) : slots_max_(slots_max) {}
  [[nodiscard]] bool Contains(std::uint64_t hash) const;
  void Insert(std::uint64_t hash);
  void Clear();

 private:
  [[nodiscard]] std::size_t SlotOf(std::uint64_t hash) const;

  std::size_t slots_max_;
  std::size_t used_ = 0;
  std::vector<std::uint64_t> slots_;
};

// On the thread of its connection, which outlives it.
class SeriesTable {
 public:
  // `seed` is secret: whoever knew it could make two series look alike.
  SeriesTable(sqlite3* database, std::uint64_t seed);
  [[nodiscard]] bool ok() const { return select_ != nullptr && insert_ != nullptr; }

  // The id of the row's series, entered in this transaction if it is new; none on an error, which
  // the connection tells.
  std::optional<std::int64_t> IdOf(const Row& row, const char* text);

  // After a rollback: what was entered is not there.
  void Forget() { known_.Clear(); }

 private:
  enum class Found : std::uint8_t { kSame, kOther, kNothing, kError };
  Found Look(std::int64_t id, const Row& row, const char* text);
  bool Enter(std::int64_t id, const Row& row, const char* text);

  SqliteStatement select_;
  SqliteStatement insert_;
  std::uint64_t seed_;
  HashSet known_;  // of the series whose id is their plain hash
};

}  // namespace collector
