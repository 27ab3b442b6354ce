// Messages of an MQTT broker. The input's lines are --origin, --type, --value (none where it is
// empty), --timestamp, --timestamp-format and the topic; what is left is the payload.
//
// A mapping or a message is refused with a reason, or each event has a name, a value and a time.
#include <array>
#include <cstdint>

#include "client/message_mapping.h"
#include "client/value.h"
#include "collector/base/check.h"
#include "event/event_json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::array<std::string, 6> lines;
  for (std::string& line : lines) {
    line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
  }
  for (std::size_t i = 0; i < 5; ++i) {  // no command begins otherwise
    if (!collector::client::IsUtf8(lines[i])) return 0;
  }
  collector::client::MappingOptions options{
      .origin = lines[0], .type = lines[1], .timestamp = lines[3], .timestamp_format = lines[4]};
  if (!lines[2].empty()) options.values.push_back(lines[2]);
  const auto mapping = collector::client::MessageMapping::Create(options);
  if (!mapping.ok()) {
    CHECK(!mapping.error().message.empty());
    return 0;
  }
  const auto events = mapping.value().Read(lines[5], rest, 1'600'000'000'000'000'000);
  if (!events.ok()) {
    CHECK(!events.error().message.empty());
    return 0;
  }
  CHECK(options.values.empty() || events.value().size() <= 1);
  for (const collector::Event& event : events.value()) {
    CHECK(!event.value.is_null() && event.timestamp_ns.has_value());
    CHECK(!collector::EncodeEventJson(event).empty());
  }
  return 0;
}
