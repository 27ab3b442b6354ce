// Recorded data as CSV. The input's first byte chooses the delimiter.
//
// Records come in the order of their lines; one that is written again with all its cells quoted
// reads as the same cells.
#include <cstdint>
#include <sstream>

#include "client/csv_reader.h"
#include "collector/base/check.h"

namespace collector::client {
namespace {

using Record = CsvReader::Record;

std::vector<Record> ReadAll(const std::string& text, char delimiter) {
  std::istringstream from(text);
  CsvReader reader(&from, delimiter);
  std::vector<Record> records;
  for (Record record; reader.Next(&record);) records.push_back(record);
  return records;
}

std::string Written(const std::vector<std::string>& cells, char delimiter) {
  std::string text;
  for (const std::string& cell : cells) {
    if (!text.empty()) text.push_back(delimiter);
    text.push_back('"');
    for (const char c : cell) text.append(c == '"' ? 2 : 1, c);
    text.push_back('"');
  }
  return text + "\n";
}

void Try(const std::string& text, char delimiter) {
  std::uint64_t line = 1;
  for (const Record& record : ReadAll(text, delimiter)) {
    CHECK(record.line >= line && record.last_line >= record.line);
    line = record.last_line;
    if (!record.error.empty()) continue;
    CHECK(!record.cells.empty());
    const auto again = ReadAll(Written(record.cells, delimiter), delimiter);
    CHECK(again.size() == 1 && again[0].error.empty() && again[0].cells == record.cells);
  }
}

}  // namespace
}  // namespace collector::client

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  collector::client::Try({reinterpret_cast<const char*>(data + 1), size - 1}, ",;\t|"[data[0] % 4]);
  return 0;
}
