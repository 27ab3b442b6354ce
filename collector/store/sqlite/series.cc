#include "collector/store/sqlite/series.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace collector {
namespace {

constexpr std::size_t kSlotsMin = 1'024;
constexpr std::size_t kSlotsMax = 1 << 20;  // 8 MiB: 873,813 series

// Of all four names; their lengths are in the seed, so that "ab","c" is not "a","bc".
std::uint64_t HashNames(const Row& row, const char* text, std::uint64_t seed) {
  const std::uint64_t lengths =
      std::uint64_t{row.name_space_bytes} << 48 | std::uint64_t{row.sender_bytes} << 32 |
      std::uint64_t{row.origin_bytes} << 16 | std::uint64_t{row.type_bytes};
  return XXH3_64bits_withSeed(text, row.names_bytes(), seed ^ lengths);
}

std::array<std::string_view, 4> NamesOf(const Row& row, const char* text) {
  std::array<std::string_view, 4> names;
  std::size_t i = 0;
  for (const std::size_t bytes :
       {row.name_space_bytes, row.sender_bytes, row.origin_bytes, row.type_bytes}) {
    names[i++] = {text, bytes};
    text += bytes;
  }
  return names;
}

}  // namespace

std::size_t HashSet::SlotOf(std::uint64_t hash) const {
  // A number of any size to one below another: as far into the table as into all hashes.
  auto slot = static_cast<std::size_t>((hash >> 32) * slots_.size() >> 32);
  while (slots_[slot] != 0 && slots_[slot] != hash) slot = slot + 1 < slots_.size() ? slot + 1 : 0;
  return slot;
}

bool HashSet::Contains(std::uint64_t hash) const {
  return hash != 0 && !slots_.empty() && slots_[SlotOf(hash)] == hash;
}

void HashSet::Insert(std::uint64_t hash) {
  if (hash == 0) return;
  if (used_ * 6 >= slots_.size() * 5) {
    if (slots_.size() == slots_max_) return Clear();
    const std::vector<std::uint64_t> old = std::move(slots_);
    slots_.assign(std::min(std::max(kSlotsMin, old.size() + old.size() / 2), slots_max_), 0);
    for (const std::uint64_t kept : old) {
      if (kept != 0) slots_[SlotOf(kept)] = kept;
    }
  }
  std::uint64_t& slot = slots_[SlotOf(hash)];
  used_ += slot == 0 ? 1 : 0;
  slot = hash;
}

void HashSet::Clear() {
  slots_.clear();
  used_ = 0;
}

SeriesTable::SeriesTable(sqlite3* database, std::uint64_t seed)
    : select_(PrepareStatement(
          database, "SELECT name_space, sender, origin, type FROM series WHERE id = ?1")),
      insert_(PrepareStatement(database, "INSERT INTO series VALUES (?1, ?2, ?3, ?4, ?5)")),
      seed_(seed),
      known_(kSlotsMax) {}

std::optional<std::int64_t> SeriesTable::IdOf(const Row& row, const char* text) {
  auto id = static_cast<std::int64_t>(HashNames(row, text, 0));
  const std::uint64_t secret = HashNames(row, text, seed_);
  if (known_.Contains(secret)) return id;
  for (bool first = true;; first = false) {
    switch (Look(id, row, text)) {
      case Found::kError:
        return std::nullopt;
      case Found::kOther:
        // Two's complement, whatever the sign: the next number, the first after the last.
        id = static_cast<std::int64_t>(static_cast<std::uint64_t>(id) + 1);
        continue;
      case Found::kNothing:
        if (!Enter(id, row, text)) return std::nullopt;
        [[fallthrough]];
      case Found::kSame:
        if (first) known_.Insert(secret);
        return id;
    }
  }
}

SeriesTable::Found SeriesTable::Look(std::int64_t id, const Row& row, const char* text) {
  sqlite3_bind_int64(select_.get(), 1, id);
  const int stepped = sqlite3_step(select_.get());
  Found found = stepped == SQLITE_DONE ? Found::kNothing : Found::kError;
  if (stepped == SQLITE_ROW) {
    found = Found::kSame;
    int column = 0;
    for (const std::string_view name : NamesOf(row, text)) {
      const auto* kept = static_cast<const char*>(sqlite3_column_blob(select_.get(), column));
      const auto bytes = static_cast<std::size_t>(sqlite3_column_bytes(select_.get(), column));
      if (std::string_view(kept, bytes) != name) found = Found::kOther;
      ++column;
    }
  }
  sqlite3_reset(select_.get());
  return found;
}

bool SeriesTable::Enter(std::int64_t id, const Row& row, const char* text) {
  sqlite3_bind_int64(insert_.get(), 1, id);
  int parameter = 2;
  for (const std::string_view name : NamesOf(row, text)) {
    sqlite3_bind_text(insert_.get(), parameter++, name.data(), static_cast<int>(name.size()),
                      SQLITE_STATIC);
  }
  const int stepped = sqlite3_step(insert_.get());
  sqlite3_reset(insert_.get());
  return stepped == SQLITE_DONE;
}

}  // namespace collector
