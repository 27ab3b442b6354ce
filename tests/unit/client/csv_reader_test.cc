#include "client/csv_reader.h"

#include <sstream>

#include "tests/unit/catch.h"

namespace collector::client {
namespace {

// Each record as "lines: cell|cell" or "lines! why".
std::vector<std::string> Read(const std::string& text, char delimiter = ',') {
  std::istringstream from(text);
  CsvReader reader(&from, delimiter);
  std::vector<std::string> out;
  CsvReader::Record record;
  while (reader.Next(&record)) {
    std::string line = std::to_string(record.line);
    if (record.last_line != record.line) line += "-" + std::to_string(record.last_line);
    if (!record.error.empty()) {
      out.push_back(line + "! " + record.error);
      continue;
    }
    for (std::size_t i = 0; i < record.cells.size(); ++i) {
      line += (i == 0 ? ": " : "|") + record.cells[i];
    }
    out.push_back(line);
  }
  return out;
}

using Lines = std::vector<std::string>;

TEST_CASE("cells, plain and quoted") {
  CHECK(Read("a,b\n1,2\n") == Lines{"1: a|b", "2: 1|2"});
  CHECK(Read("1,2") == Lines{"1: 1|2"});
  CHECK(Read("\"a,b\",\"say \"\"hi\"\"\",\n") == Lines{"1: a,b|say \"hi\"|"});
  CHECK(Read(" a , b c ,\" d \"\n") == Lines{"1: a|b c| d "});
  CHECK(Read("a;b\n", ';') == Lines{"1: a|b"});
  CHECK(Read("a\tb,c\n", '\t') == Lines{"1: a|b,c"});
}

TEST_CASE("line ends of all kinds, empty lines, a byte order mark") {
  CHECK(Read("a,b\r\n1,2\r\n") == Lines{"1: a|b", "2: 1|2"});
  CHECK(Read("a,b\r1,2\r") == Lines{"1: a|b", "1: 1|2"});
  CHECK(Read("\n\na\n \n\nb\n") == Lines{"3: a", "6: b"});
  CHECK(Read("\xef\xbb\xbf"
             "a,b\n") == Lines{"1: a|b"});
  CHECK(Read("").empty());
}

TEST_CASE("lines within quotes count") {
  CHECK(Read("\"a\n\nb\",c\nd\n") == Lines{"1-3: a\n\nb|c", "4: d"});
  CHECK(Read("x,\"a\r\nb\"\ny,z\n") == Lines{"1-2: x|a\r\nb", "3: y|z"});
}

TEST_CASE("what is no CSV costs its own lines only") {
  CHECK(Read("a,b\nc\"d,e\nf,g\n") ==
        Lines{"1: a|b", "2! a quote stands where none may be", "3: f|g"});
  CHECK(Read("a\n\"b\"c,d\ne\n") == Lines{"1: a", "2! a quote stands where none may be", "3: e"});
  CHECK(Read("a\n\"b\nc\n") == Lines{"1: a", "2-3! a quote is left open"});
}

}  // namespace
}  // namespace collector::client
