#include "collector/store/sqlite/batch.h"

#include <endian.h>

#include <bit>
#include <cstring>

namespace collector {
namespace {

// Numbers and booleans natively, text as text; arrays and objects are in the payload only.
void SetValue(const Json& value, Row* row) {
  switch (value.type()) {
    case Json::value_t::number_integer:
      row->value_kind = Row::ValueKind::kInteger;
      row->number = value.get<std::int64_t>();
      return;
    case Json::value_t::number_unsigned:
      if (value.get<std::uint64_t>() <= INT64_MAX) {
        row->value_kind = Row::ValueKind::kInteger;
        row->number = value.get<std::int64_t>();
        return;
      }
      [[fallthrough]];
    case Json::value_t::number_float:
      row->value_kind = Row::ValueKind::kReal;
      row->number = std::bit_cast<std::int64_t>(value.get<double>());
      return;
    case Json::value_t::boolean:
      row->value_kind = Row::ValueKind::kInteger;
      row->number = value.get<bool>() ? 1 : 0;
      return;
    case Json::value_t::string:
      row->value_kind = Row::ValueKind::kText;
      return;
    default:
      row->value_kind = Row::ValueKind::kNone;
  }
}

// Most payloads are a type and a number or text, which have their columns. An integer beyond SQL's
// loses digits there.
bool ColumnsTellAll(const Event& event, const Row& row) {
  if (!event.extra.is_null()) return false;
  if (event.value.is_number_unsigned()) return row.value_kind == Row::ValueKind::kInteger;
  return event.value.is_number() || event.value.is_string();
}

}  // namespace

std::int64_t HalfOf(const EventId& id, std::size_t from) {
  std::uint64_t half = 0;
  std::memcpy(&half, id.data() + from, sizeof(half));
  return static_cast<std::int64_t>(be64toh(half));
}

void Batch::Add(const StoreEvent& stored, Completion done) {
  const Event& event = stored.event;
  Row row{.id = stored.id,
          .timestamp_ns = stored.timestamp_ns,
          .received_ns = stored.received_ns,
          .text_at = text_.size(),
          .name_space_bytes = static_cast<std::uint16_t>(event.name_space.size()),
          .sender_bytes = static_cast<std::uint16_t>(event.sender.size()),
          .origin_bytes = static_cast<std::uint16_t>(event.origin.size()),
          .type_bytes = static_cast<std::uint16_t>(event.type.size()),
          .done = std::move(done)};
  SetValue(event.value, &row);
  if (!ColumnsTellAll(event, row)) {
    row.payload_bytes = static_cast<std::uint32_t>(stored.payload_json.size());
  }
  text_.append(event.name_space).append(event.sender).append(event.origin).append(event.type);
  if (row.payload_bytes > 0) text_.append(stored.payload_json);
  if (row.value_kind == Row::ValueKind::kText) {
    const auto& text = event.value.get_ref<const std::string&>();
    row.value_bytes = static_cast<std::uint32_t>(text.size());
    text_.append(text);
  }
  rows_.push_back(std::move(row));
}

void Batch::FinishAll() {
  for (Row& row : rows_) std::move(row.done).Finish(row.outcome);
  rows_.clear();
  text_.clear();
}

}  // namespace collector
