#include "client/table.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "client/value.h"

namespace collector::client {
namespace {

constexpr std::array kNoValues = {"", "NA", "N/A", "NaN", "nan", "None", "null"};

// Members of objects within, as outer.inner.
void Flatten(const Json& object, const std::string& path, Json* cells) {
  for (const auto& [name, value] : object.items()) {
    const std::string column = path.empty() ? name : path + "." + name;
    if (value.is_object()) {
      Flatten(value, column, cells);
    } else if (!value.is_null()) {
      (*cells)[column] = value;
    }
  }
}

bool IsBlank(const std::string& line) {
  return line.find_first_not_of(" \t\r") == std::string::npos;
}

}  // namespace

Json ReadCell(const std::string& text) {
  if (std::find(kNoValues.begin(), kNoValues.end(), text) != kNoValues.end()) return nullptr;
  const auto value = ParseValue(text);
  const bool plain = value.ok() && (value.value().is_number() || value.value().is_boolean());
  return plain ? value.value() : Json(text);
}

Table::Table(const std::string& path, Format format, char delimiter)
    : file_(path, std::ios::binary), format_(format), csv_(&file_, delimiter) {}

Result<std::unique_ptr<Table>> Table::Open(const std::string& path, Format format, char delimiter) {
  std::error_code error;
  errno = 0;
  std::unique_ptr<Table> table(new Table(path, format, delimiter));
  table->bytes_ = std::filesystem::file_size(path, error);
  if (!table->file_.is_open() || error) {
    const int number = error ? error.value() : errno;
    return Error{ErrorCode::kIo, "cannot read " + path + ": " + std::strerror(number)};
  }
  if (format == Format::kJsonLines) return table;
  if (Status read = table->ReadHeader(); !read.ok()) {
    return Error{ErrorCode::kInvalid, path + ": " + read.error().message};
  }
  return table;
}

Status Table::ReadHeader() {
  CsvReader::Record header;
  if (!csv_.Next(&header)) return Error{ErrorCode::kInvalid, "is empty"};
  if (!header.error.empty()) return Error{ErrorCode::kInvalid, "line 1: " + header.error};
  columns_ = std::move(header.cells);
  auto sorted = columns_;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end()) {
    return Error{ErrorCode::kInvalid, "line 1 names the column '" + *twice + "' twice"};
  }
  return Ok{};
}

bool Table::Next(Row* row) {
  *row = Row{};
  return format_ == Format::kCsv ? NextCsv(row) : NextJson(row);
}

bool Table::NextCsv(Row* row) {
  CsvReader::Record record;
  if (!csv_.Next(&record)) return false;
  row->line = record.line;
  row->last_line = record.last_line;
  row->error = std::move(record.error);
  if (row->error.empty() && record.cells.size() > columns_.size()) {
    row->error = std::to_string(record.cells.size()) + " cells, and the header has " +
                 std::to_string(columns_.size());
  }
  if (!row->error.empty()) return true;
  row->cells = Json::object();
  for (std::size_t i = 0; i < record.cells.size(); ++i) {
    if (!IsUtf8(record.cells[i])) {
      row->error = "'" + columns_[i] + "' is not UTF-8";
      return true;
    }
    Json value = ReadCell(record.cells[i]);
    if (!value.is_null()) row->cells[columns_[i]] = std::move(value);
  }
  return true;
}

bool Table::NextJson(Row* row) {
  std::string line;
  do {
    if (!std::getline(file_, line)) return false;
    ++lines_;
  } while (IsBlank(line));
  row->line = row->last_line = lines_;
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  row->cells = Json::object();
  if (!json.is_object()) {
    row->error = "is no JSON object";
  } else if (IsDeep(json)) {
    row->error = "is nested more than 64 levels deep";
  } else {
    Flatten(json, "", &row->cells);
  }
  return true;
}

std::uint64_t Table::bytes_read() {
  const auto at = file_.tellg();
  return at < 0 ? bytes_ : static_cast<std::uint64_t>(at);
}

}  // namespace collector::client
