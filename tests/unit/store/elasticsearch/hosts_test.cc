#include "collector/store/elasticsearch/hosts.h"

#include "collector/base/clock.h"
#include "tests/unit/catch.h"

namespace collector {

TEST_CASE("hosts take turns") {
  Hosts hosts({"a", "b", "c"});
  for (const std::size_t expected : {0u, 1u, 2u, 0u, 1u}) CHECK(hosts.Pick(0) == expected);
  CHECK(hosts.url(1) == "b");
}

TEST_CASE("a failed host is set aside, longer each time, and one request tries it") {
  Hosts hosts({"a", "b"});
  hosts.Failed(0, 0);
  for (int i = 0; i < 3; ++i) CHECK(hosts.Pick(499 * kNsPerMs) == 1);
  CHECK(hosts.Pick(500 * kNsPerMs) == 0);
  CHECK(hosts.Pick(500 * kNsPerMs) == 1);  // the first is being tried
  CHECK(hosts.Pick(500 * kNsPerMs) == 1);
  hosts.Failed(0, 600 * kNsPerMs);
  CHECK(hosts.Pick(1'599 * kNsPerMs) == 1);
  CHECK(hosts.Pick(1'600 * kNsPerMs) == 0);
  hosts.Succeeded(0);
  CHECK(hosts.Pick(1'601 * kNsPerMs) == 1);
  CHECK(hosts.Pick(1'601 * kNsPerMs) == 0);
}

TEST_CASE("when all failed, the one whose time is up first is tried") {
  Hosts hosts({"a", "b"});
  hosts.Failed(0, 0);
  hosts.Failed(0, 0);
  hosts.Failed(1, 0);
  CHECK(hosts.Pick(1) == 1);
  Hosts alone({"a"});
  for (int i = 0; i < 40; ++i) alone.Failed(0, 0);
  CHECK(alone.Pick(1) == 0);
}

}  // namespace collector
