// The access list. What is read of it can be asked about anybody, and one more line for everybody
// grants everything, whatever is before it.
#include "collector/base/check.h"
#include "collector/handlers/access_list.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using collector::AccessList;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto list = AccessList::Parse(text);
  if (!list.ok()) {
    CHECK(list.error().message.starts_with("line "));
    return 0;
  }
  const std::string_view bytes = text;
  const std::string half(bytes.substr(0, size / 2));
  const auto peer = collector::SocketAddress::Parse("10.1.2.3:5683");
  collector::Event event;
  event.name_space = event.sender = event.origin = half;
  for (const auto& names : {std::vector<std::string>{}, {"psk:" + half}, {"cn:a", "dns:" + half}}) {
    std::vector<AccessList::Grant> grants;
    list.value().GrantsOf(peer.value(), names, &grants);
    CHECK(grants.size() <= list.value().size() * std::max<std::size_t>(names.size(), 1));
    NotGranted(event, grants);
    const auto more = AccessList::Parse(text + "\n* * * *\n");
    CHECK(more.ok());
    more.value().GrantsOf(peer.value(), names, &grants);
    CHECK(NotGranted(event, grants).empty());
  }
  return 0;
}
