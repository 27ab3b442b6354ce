// Reads CSV (RFC 4180), a record at a time.
#pragma once

#include <cstdint>
#include <istream>
#include <memory>
#include <string>
#include <vector>

struct csv_parser;

namespace collector::client {

// Blanks around what is not quoted are dropped, empty lines passed over, and so is a byte order
// mark. What is quoted may hold line ends; lines may end with LF, CRLF or CR.
class CsvReader {
 public:
  struct Record {
    std::uint64_t line = 0;  // where it begins, from 1
    std::uint64_t last_line = 0;
    std::vector<std::string> cells{};
    std::string error{};  // not empty: why these lines are no record
  };

  // `from` must outlive this.
  CsvReader(std::istream* from, char delimiter);
  ~CsvReader();
  CsvReader(const CsvReader&) = delete;
  CsvReader& operator=(const CsvReader&) = delete;

  // False: no more. After a record with an error it goes on with the next line.
  bool Next(Record* record);

 private:
  struct Callbacks;  // what libcsv calls

  void Begin();
  void Feed(const std::string& line);
  void Finish();
  void EndRecord(std::string error);

  std::istream* const from_;
  const char delimiter_;
  const std::unique_ptr<csv_parser> parser_;
  std::uint64_t lines_ = 0;
  Record open_;                // its line is 0 between records
  std::vector<Record> ended_;  // more than one where a line holds a bare CR
  std::size_t next_ = 0;       // of ended_
  bool finished_ = false;
};

}  // namespace collector::client
