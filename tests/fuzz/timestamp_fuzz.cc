// Timestamps. What is read is written in a form that reads as the same moment.
#include "collector/base/check.h"
#include "event/timestamp.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto moment = collector::ParseTimestamp({reinterpret_cast<const char*>(data), size});
  if (moment) CHECK(collector::ParseTimestamp(collector::FormatTimestamp(*moment)) == moment);
  return 0;
}
