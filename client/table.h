// Recorded data, row by row: a CSV file with a header, or a file of JSON lines.
#pragma once

#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "client/csv_reader.h"
#include "collector/base/result.h"
#include "event/event.h"

namespace collector::client {

struct Row {
  std::uint64_t line = 0;       // where it begins, from 1
  std::uint64_t last_line = 0;  // and ends
  Json cells{};                 // an object: column to value; a cell without value is not in it
  std::string error{};          // not empty: why there are no cells
};

// What a CSV cell says: a number, true, false, else a text. Empty, NA, N/A, NaN, None and null are
// no value: a JSON null.
Json ReadCell(const std::string& text);

class Table {
 public:
  enum class Format { kCsv, kJsonLines };

  // Errors: the file cannot be read; the header is missing, or names a column twice.
  static Result<std::unique_ptr<Table>> Open(const std::string& path, Format format,
                                             char delimiter);

  // Those of a CSV file's header; of JSON lines none, because every line may have others (a member
  // of an object within one is a column outer.inner).
  [[nodiscard]] const std::vector<std::string>& columns() const { return columns_; }

  // False: no more.
  bool Next(Row* row);

  // How far it has read, and how much there is.
  [[nodiscard]] std::uint64_t bytes_read();
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  Table(const std::string& path, Format format, char delimiter);

  Status ReadHeader();
  bool NextCsv(Row* row);
  bool NextJson(Row* row);

  std::ifstream file_;
  const Format format_;
  CsvReader csv_;
  std::vector<std::string> columns_;
  std::uint64_t lines_ = 0;  // of JSON
  std::uint64_t bytes_ = 0;
};

}  // namespace collector::client
