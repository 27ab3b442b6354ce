// The events of one commit, copied out of their requests: rows, and one buffer for all their text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "collector/store/store.h"

namespace collector {

// What a row of the database is made of comes first, to be in one line of the cache mostly.
struct Row {
  // How payload.value is stored in its column, so that it can be added up and compared there.
  enum class ValueKind : std::uint8_t { kNone, kInteger, kReal, kText };

  EventId id{};
  std::int64_t timestamp_ns = 0;
  std::int64_t received_ns = 0;
  std::int64_t series = 0;  // of SeriesTable, when it is written
  std::int64_t number = 0;  // of kInteger; the bits of kReal
  std::uint32_t payload_bytes = 0;  // 0: type and value tell all of it
  ValueKind value_kind = ValueKind::kNone;
  Outcome outcome = Outcome::kNotNow;
  std::size_t text_at = 0;  // name space, sender, origin, type, payload, then a text value
  std::uint16_t name_space_bytes = 0;
  std::uint16_t sender_bytes = 0;
  std::uint16_t origin_bytes = 0;
  std::uint16_t type_bytes = 0;
  std::uint32_t value_bytes = 0;
  Completion done;

  [[nodiscard]] std::size_t names_bytes() const {
    return std::size_t{name_space_bytes} + sender_bytes + origin_bytes + type_bytes;
  }
};

// Eight bytes of an id as a number that sorts as they do; the first ones are never negative.
std::int64_t HalfOf(const EventId& id, std::size_t from);

class Batch {
 public:
  void Add(const StoreEvent& event, Completion done);

  // Finishes every row with its outcome and leaves the batch empty, its memory kept for the next.
  void FinishAll();

  [[nodiscard]] std::size_t size() const { return rows_.size(); }
  [[nodiscard]] std::vector<Row>& rows() { return rows_; }
  [[nodiscard]] const char* NamesOf(const Row& row) const { return text_.data() + row.text_at; }
  [[nodiscard]] const char* PayloadOf(const Row& row) const {
    return NamesOf(row) + row.names_bytes();
  }
  [[nodiscard]] const char* ValueOf(const Row& row) const {
    return PayloadOf(row) + row.payload_bytes;
  }

 private:
  std::vector<Row> rows_;
  std::string text_;
};

}  // namespace collector
