#include "collector/coap/peers.h"

#include <set>

#include "tests/unit/catch.h"

namespace collector {

TEST_CASE("a peer does not see a message id again while 65,536 are new") {
  MessageIds ids;
  std::set<std::uint16_t> seen;
  for (int i = 0; i < 65'536; ++i) seen.insert(ids.Next(77));
  CHECK(seen.size() == 65'536);
}

TEST_CASE("messages to many other peers do not bring a peer's ids round") {
  MessageIds ids;
  const std::uint16_t first = ids.Next(77);
  for (PeerKey peer = 1'000; peer < 101'000; ++peer) ids.Next(peer * 0x9e37'79b9'7f4a'7c15);
  const auto distance = static_cast<std::uint16_t>(ids.Next(77) - first);
  CHECK(distance > 0);
  CHECK(distance < 100);  // 100,000 / 4,096 on average
}

TEST_CASE("peers' ids begin where their keys say, not at one place for all") {
  MessageIds ids;
  CHECK(ids.Next(0x1234'0000'0000'0001) != ids.Next(0xabcd'0000'0000'0002));
}

TEST_CASE("a verified peer is known until another takes its place") {
  VerifiedPeers peers;
  CHECK_FALSE(peers.Has(5));
  peers.Add(5);
  CHECK(peers.Has(5));
  CHECK_FALSE(peers.Has(5 + 2 * 16'384));
  peers.Add(5 + 2 * 16'384);
  CHECK_FALSE(peers.Has(5));
}

}  // namespace collector
