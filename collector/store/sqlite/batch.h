// The events of one commit, copied out of their requests: rows, and one buffer for all their text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "collector/store/store.h"

namespace collector {

struct Row {
  // How payload.value is stored in its column, so that it can be added up and compared there.
  enum class ValueKind : std::uint8_t { kNone, kInteger, kReal, kText };

  EventId id{};
  std::int64_t timestamp_ns = 0;
  std::int64_t received_ns = 0;
  std::size_t text_at = 0;  // name space, sender, origin, type, payload, then a text value
  std::uint16_t name_space_bytes = 0;
  std::uint16_t sender_bytes = 0;
  std::uint16_t origin_bytes = 0;
  std::uint16_t type_bytes = 0;
  std::uint32_t payload_bytes = 0;  // 0: type and value tell all of it
  std::uint32_t value_bytes = 0;
  ValueKind value_kind = ValueKind::kNone;
  Outcome outcome = Outcome::kNotNow;
  std::int64_t integer = 0;
  double real = 0;
  Completion done;

  [[nodiscard]] std::size_t names_bytes() const {
    return std::size_t{name_space_bytes} + sender_bytes + origin_bytes + type_bytes;
  }
};

class Batch {
 public:
  void Add(const StoreEvent& event, Completion done);

  // Finishes every row with its outcome and leaves the batch empty, its memory kept for the next.
  void FinishAll();

  [[nodiscard]] std::size_t size() const { return rows_.size(); }
  [[nodiscard]] std::vector<Row>& rows() { return rows_; }
  [[nodiscard]] const char* TextOf(const Row& row) const { return text_.data() + row.text_at; }

 private:
  std::vector<Row> rows_;
  std::string text_;
};

}  // namespace collector
