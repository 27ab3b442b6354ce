#include "client/csv_reader.h"

#include <csv.h>

#include <utility>

#include "collector/base/check.h"

namespace collector::client {
namespace {

constexpr unsigned char kOptions = CSV_STRICT | CSV_STRICT_FINI;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

}  // namespace

struct CsvReader::Callbacks {
  static void OnCell(void* text, std::size_t size, void* data) {
    static_cast<CsvReader*>(data)->open_.cells.emplace_back(static_cast<const char*>(text), size);
  }
  static void OnRecord(int /*terminator*/, void* data) {
    static_cast<CsvReader*>(data)->EndRecord("");
  }
};

CsvReader::CsvReader(std::istream* from, char delimiter)
    : from_(from), delimiter_(delimiter), parser_(std::make_unique<csv_parser>()) {
  Begin();
}

CsvReader::~CsvReader() { csv_free(parser_.get()); }

bool CsvReader::Next(Record* record) {
  std::string line;
  while (next_ == ended_.size()) {
    ended_.clear();
    next_ = 0;
    if (finished_) return false;
    if (!std::getline(*from_, line)) {
      Finish();
      continue;
    }
    ++lines_;
    if (lines_ == 1 && line.starts_with(kByteOrderMark)) line.erase(0, kByteOrderMark.size());
    if (!from_->eof()) line.push_back('\n');
    Feed(line);
  }
  *record = std::move(ended_[next_++]);
  return true;
}

void CsvReader::Feed(const std::string& line) {
  if (open_.line == 0) {
    if (line.find_first_not_of(" \t\r\n") == std::string::npos) return;
    open_.line = lines_;
  }
  const std::size_t parsed = csv_parse(parser_.get(), line.data(), line.size(), &Callbacks::OnCell,
                                       &Callbacks::OnRecord, this);
  if (parsed == line.size()) return;
  csv_free(parser_.get());
  Begin();
  EndRecord("a quote stands where none may be");
}

void CsvReader::Begin() {
  CHECK(csv_init(parser_.get(), kOptions) == 0);
  csv_set_delim(parser_.get(), static_cast<unsigned char>(delimiter_));
}

void CsvReader::Finish() {
  finished_ = true;
  if (csv_fini(parser_.get(), &Callbacks::OnCell, &Callbacks::OnRecord, this) != 0) {
    EndRecord("a quote is left open");
  }
}

void CsvReader::EndRecord(std::string error) {
  if (open_.line == 0) open_.line = lines_;
  open_.last_line = lines_;
  open_.error = std::move(error);
  ended_.push_back(std::exchange(open_, {}));
}

}  // namespace collector::client
