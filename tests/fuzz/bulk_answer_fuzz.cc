// Answers of an engine to a bulk request. The input's first byte is how many items were sent.
#include "collector/store/elasticsearch/bulk_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static collector::BulkAnswerReader reader;
  static std::vector<collector::ItemResult> items;
  if (size == 0) return 0;
  if (reader.Read({reinterpret_cast<const char*>(data + 1), size - 1}, data[0], &items)) {
    CHECK(items.size() == data[0]);
  }
  return 0;
}
