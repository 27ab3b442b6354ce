#include "client/row_mapping.h"

#include <algorithm>
#include <utility>

namespace collector::client {
namespace {

Error Invalid(std::string message) { return {ErrorCode::kInvalid, std::move(message)}; }

std::string TextOf(const Json& cell) {
  return cell.is_string() ? cell.get<std::string>() : cell.dump();
}

}  // namespace

Result<RowMapping> RowMapping::Create(const RowOptions& options) {
  auto time = TimeFormat::Create(options.timestamp_format, options.utc_offset);
  if (!time.ok()) return Invalid("times: " + time.error().message);
  if (!options.type_column.empty() && options.value_columns.size() != 1) {
    return Invalid("--type-column needs exactly one --value-column");
  }
  RowMapping made(options, std::move(time).value());
  for (const std::string& value : options.value_columns) {
    const std::size_t equals = value.find('=');
    const std::string column = equals == std::string::npos ? value : value.substr(equals + 1);
    made.types_[column] = value.substr(0, equals);
  }
  for (const std::string& unit : options.units) {
    const std::size_t equals = unit.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return Invalid("--unit: '" + unit + "' is not like temperature=Cel");
    }
    made.units_[unit.substr(0, equals)] = unit.substr(equals + 1);
  }
  return made;
}

Status RowMapping::Check(const std::vector<std::string>& columns) const {
  std::vector<std::string> needed = {options_.timestamp_column, options_.type_column,
                                     options_.origin_column};
  for (const auto& [column, type] : types_) needed.push_back(column);
  for (const std::string& column : needed) {
    if (column.empty() || std::find(columns.begin(), columns.end(), column) != columns.end()) {
      continue;
    }
    std::string all;
    for (const std::string& there : columns) all += (all.empty() ? "" : ", ") + there;
    return Invalid("there is no column '" + column + "', but " + all);
  }
  return Ok{};
}

Result<std::vector<Event>> RowMapping::Read(const Json& cells) const {
  auto time = NameIn(options_.timestamp_column, cells);
  if (!time.ok()) return time.error();
  const auto timestamp_ns = time_.Read(time.value());
  if (!timestamp_ns.has_value()) {
    return Invalid("cannot read '" + time.value() +
                   "' as a time from 1970 on; see --timestamp-format");
  }
  Result<std::string> origin = std::string();
  if (!options_.origin_column.empty()) origin = NameIn(options_.origin_column, cells);
  if (!origin.ok()) return origin.error();
  std::vector<Event> events;
  for (const auto& [column, value] : cells.items()) {
    const auto wanted = types_.find(column);
    const bool named = column == options_.timestamp_column || column == options_.origin_column;
    if (types_.empty() ? named : wanted == types_.end()) continue;
    Result<std::string> type = wanted != types_.end() ? wanted->second : std::string(column);
    if (!options_.type_column.empty()) type = NameIn(options_.type_column, cells);
    if (!type.ok()) return type.error();
    Event event;
    event.origin = origin.value();
    event.type = std::move(type).value();
    event.value = value;
    event.timestamp_ns = timestamp_ns;
    if (const auto unit = units_.find(event.type); unit != units_.end()) {
      event.extra = {{"unit", unit->second}};
    }
    events.push_back(std::move(event));
  }
  return events;
}

Result<std::string> RowMapping::NameIn(const std::string& column, const Json& cells) const {
  const auto found = cells.find(column);
  if (found == cells.end()) return Invalid("'" + column + "' is empty");
  return TextOf(*found);
}

}  // namespace collector::client
