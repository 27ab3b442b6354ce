// Bodies of requests. The input's first byte is the format, the rest the body.
//
// An event that is read, written as JSON and read again is the same event: same id.
#include <cstdint>

#include "collector/base/check.h"
#include "event/event_decoder.h"
#include "event/event_id.h"

namespace collector {
namespace {

EventId IdOf(const Event& event) {
  static EventIdHasher hasher;
  std::string payload;
  AppendPayloadJson(event, &payload);
  return hasher.Hash(event, payload, event.timestamp_ns.value_or(0), 0);
}

void Try(EventFormat format, std::string_view body) {
  static EventDecoder decoder;
  static EventDecoder again;
  std::string diagnostic;
  if (!decoder.Decode(format, body, &diagnostic)) {
    CHECK(!diagnostic.empty() && diagnostic.size() <= 64);
    for (const char c : diagnostic) CHECK(c >= ' ' && c <= '~');
    return;
  }
  CHECK(!decoder.events().empty() && decoder.events().size() <= kEventsPerBodyMax);
  for (const Event& event : decoder.events()) {
    CHECK(again.Decode(EventFormat::kJson, EncodeEventJson(event), &diagnostic));
    CHECK(again.events().size() == 1 && IdOf(again.events()[0]) == IdOf(event));
  }
}

}  // namespace
}  // namespace collector

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  collector::Try(static_cast<collector::EventFormat>(data[0] % 4),
                 {reinterpret_cast<const char*>(data + 1), size - 1});
  return 0;
}
