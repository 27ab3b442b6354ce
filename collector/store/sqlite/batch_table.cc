#include "collector/store/sqlite/batch_table.h"

#include <algorithm>
#include <bit>

namespace collector {
namespace {

// In the order of ids, rows lie all over the batch.
constexpr std::size_t kPrefetchDistance = 8;

void ResultText(sqlite3_context* context, const char* text, std::uint32_t bytes) {
  sqlite3_result_text(context, text, static_cast<int>(bytes), SQLITE_STATIC);
}

}  // namespace

// What SQLite calls. It has one cursor on the table at a time, and so the table is its own cursor.
struct BatchTable::Module {
  struct Table : sqlite3_vtab {
    BatchTable* self;
  };
  struct Cursor : sqlite3_vtab_cursor {
    BatchTable* self;
  };
  static BatchTable* Of(sqlite3_vtab_cursor* cursor) { return static_cast<Cursor*>(cursor)->self; }

  static int Connect(sqlite3* database, void* self, int, const char* const*, sqlite3_vtab** table,
                     char**) {
    *table = new Table{{}, static_cast<BatchTable*>(self)};
    return sqlite3_declare_vtab(
        database, "CREATE TABLE x(key, rest, timestamp_ns, received_ns, series, value, payload)");
  }
  static int Disconnect(sqlite3_vtab* table) {
    delete static_cast<Table*>(table);
    return SQLITE_OK;
  }
  static int BestIndex(sqlite3_vtab*, sqlite3_index_info*) { return SQLITE_OK; }
  static int Open(sqlite3_vtab* table, sqlite3_vtab_cursor** cursor) {
    *cursor = new Cursor{{}, static_cast<Table*>(table)->self};
    return SQLITE_OK;
  }
  static int Close(sqlite3_vtab_cursor* cursor) {
    delete static_cast<Cursor*>(cursor);
    return SQLITE_OK;
  }
  static int Filter(sqlite3_vtab_cursor* cursor, int, const char*, int, sqlite3_value**) {
    Of(cursor)->Begin();
    return SQLITE_OK;
  }
  static int Next(sqlite3_vtab_cursor* cursor) {
    Of(cursor)->Next();
    return SQLITE_OK;
  }
  static int Eof(sqlite3_vtab_cursor* cursor) { return Of(cursor)->AtEnd() ? 1 : 0; }
  static int Column(sqlite3_vtab_cursor* cursor, sqlite3_context* context, int column) {
    Of(cursor)->Column(context, column);
    return SQLITE_OK;
  }
  static int Rowid(sqlite3_vtab_cursor* cursor, sqlite3_int64* rowid) {
    *rowid = static_cast<sqlite3_int64>(Of(cursor)->next_);
    return SQLITE_OK;
  }

  static constexpr sqlite3_module Callbacks() {
    sqlite3_module module{};  // no xCreate: the table is there without being created
    module.xConnect = Connect;
    module.xBestIndex = BestIndex;
    module.xDisconnect = Disconnect;
    module.xOpen = Open;
    module.xClose = Close;
    module.xFilter = Filter;
    module.xNext = Next;
    module.xEof = Eof;
    module.xColumn = Column;
    module.xRowid = Rowid;
    return module;
  }
};

int BatchTable::AddTo(sqlite3* database) {
  static constexpr sqlite3_module kModule = Module::Callbacks();
  database_ = database;
  return sqlite3_create_module_v2(database, "batch", &kModule, this, nullptr);
}

void BatchTable::Show(Batch* batch, const std::vector<Place>* places, Rest rest) {
  batch_ = batch;
  places_ = places;
  rest_ = rest;
}

void BatchTable::Begin() {
  next_ = 0;
  taken_.clear();
  inserted_rowid_ = 0;
  sqlite3_set_last_insert_rowid(database_, 0);
}

// SQLite asks for a row when it has dealt with the one before; whether it inserted that shows in
// the last rowid.
void BatchTable::Next() {
  const Place& place = (*places_)[next_++];
  const std::int64_t last = sqlite3_last_insert_rowid(database_);
  if (last == inserted_rowid_) {
    taken_.push_back(place);
  } else {
    batch_->rows()[place.row].outcome = Outcome::kStored;
    inserted_rowid_ = last;
  }
  const std::size_t soon = std::min(next_ + kPrefetchDistance, places_->size() - 1);
  __builtin_prefetch(&batch_->rows()[(*places_)[soon].row]);
}

void BatchTable::Column(sqlite3_context* context, int column) const {
  const Place& place = (*places_)[next_];
  const Row& row = batch_->rows()[place.row];
  switch (column) {
    case 0:
      return sqlite3_result_int64(context, place.key);
    case 1:
      if (rest_ == Rest::kSecondHalf) return sqlite3_result_int64(context, HalfOf(row.id, 8));
      return sqlite3_result_blob(context, row.id.data(), static_cast<int>(row.id.size()),
                                 SQLITE_STATIC);
    case 2:
      return sqlite3_result_int64(context, row.timestamp_ns);
    case 3:
      return sqlite3_result_int64(context, row.received_ns);
    case 4:
      return sqlite3_result_int64(context, row.series);
    case 5:
      switch (row.value_kind) {
        case Row::ValueKind::kNone:
          return;  // NULL
        case Row::ValueKind::kInteger:
          return sqlite3_result_int64(context, row.number);
        case Row::ValueKind::kReal:
          return sqlite3_result_double(context, std::bit_cast<double>(row.number));
        case Row::ValueKind::kText:
          return ResultText(context, batch_->ValueOf(row), row.value_bytes);
      }
      return;
    default:
      if (row.payload_bytes > 0) ResultText(context, batch_->PayloadOf(row), row.payload_bytes);
  }
}

}  // namespace collector
