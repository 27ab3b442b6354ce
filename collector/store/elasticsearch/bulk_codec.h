// One event as the two lines that _bulk takes, and the answer to a _bulk request.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "collector/store/store.h"

namespace simdjson::dom {
class parser;
}

namespace collector {

// Appends the action (create, under the event's own id) and the document, each with its newline.
//
// The id is url-safe base64 without padding, 22 characters: an engine keeps such an id as the bytes
// it stands for, so that in the index ids sort as the bytes do, by time first.
void AppendCreate(const StoreEvent& event, std::string* out);

// What became of one item. The views are good until the next Read.
struct ItemResult {
  int status = 0;
  bool failure_store = false;  // stored, but in the stream's failure store
  std::string_view error_type;
  std::string_view error_reason;
};

// Reads answers; holds the parser's memory. One thread.
class BulkAnswerReader {
 public:
  BulkAnswerReader();
  ~BulkAnswerReader();
  BulkAnswerReader(const BulkAnswerReader&) = delete;
  BulkAnswerReader& operator=(const BulkAnswerReader&) = delete;

  // Reads the items in the order they were sent. False if `body` is not the whole answer to a
  // request of `items_sent` items: then nothing is known of any of them.
  bool Read(std::string_view body, std::size_t items_sent, std::vector<ItemResult>* items);

 private:
  std::unique_ptr<simdjson::dom::parser> parser_;
};

}  // namespace collector
