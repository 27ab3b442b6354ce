#include "collector/handlers/access_list.h"

#include "tests/unit/catch.h"

namespace collector {
namespace {

using Catch::Matchers::ContainsSubstring;

struct Peer {
  std::string address = "192.0.2.1:40000";
  std::vector<std::string> names = {};
};

AccessList List(std::string_view text) {
  auto list = AccessList::Parse(text);
  INFO((list.ok() ? "" : list.error().message));
  REQUIRE(list.ok());
  return std::move(list).value();
}

// Whether the peer may write an event of these names; else what is wrong with it.
std::string Refusal(std::string_view text, const Peer& peer,
                    const std::array<std::string, 3>& names) {
  const AccessList list = List(text);
  const auto address = SocketAddress::Parse(peer.address);
  REQUIRE(address.ok());
  std::vector<AccessList::Grant> grants;
  list.GrantsOf(address.value(), peer.names, &grants);
  if (grants.empty()) return "peer";
  Event event;
  event.name_space = names[0];
  event.sender = names[1];
  event.origin = names[2];
  return std::string(NotGranted(event, grants));
}

const std::array<std::string, 3> kNames = {"city", "gate", "probe-1"};

bool Granted(std::string_view text, const Peer& peer) {
  return Refusal(text, peer, kNames).empty();
}

std::string Fault(std::string_view text) {
  const auto list = AccessList::Parse(text);
  return list.ok() ? "" : list.error().message;
}

}  // namespace

TEST_CASE("a list without lines grants nothing, a star everything") {
  CHECK(Refusal("# nothing\n\n  \n", {}, kNames) == "peer");
  CHECK(Granted("* * * *", {}));
  CHECK(Granted("* * * *", {.names = {"psk:x"}}));
  CHECK(List("# who what\n* a b c\r\n\t10.0.0.0/8 \"living room\" b *\n").size() == 2);
}

TEST_CASE("the first name that no line covers is named") {
  const std::string list =
      "psk:one city gate probe-*\n"
      "psk:one town * roof\n";
  const Peer one{.names = {"psk:one"}};
  CHECK(Granted(list, one));
  CHECK(Refusal(list, one, {"village", "gate", "probe-1"}) == "namespace");
  CHECK(Refusal(list, one, {"city", "door", "probe-1"}) == "sender");
  CHECK(Refusal(list, one, {"city", "gate", "roof"}) == "origin");
  CHECK(Refusal(list, one, {"town", "gate", "roof"}).empty());
  CHECK(Refusal(list, {.names = {"psk:other"}}, kNames) == "peer");
  CHECK(Refusal(list, {}, kNames) == "peer");
}

TEST_CASE("names are compared whole, and by their kind") {
  CHECK(Granted("cn:one * * *", {.names = {"cn:one", "dns:one.example"}}));
  CHECK(Granted("dns:*.example * * *", {.names = {"cn:one", "dns:one.example"}}));
  CHECK_FALSE(Granted("psk:one * * *", {.names = {"cn:one"}}));
  CHECK_FALSE(Granted("psk:one * * *", {.names = {"psk:one2"}}));
  CHECK_FALSE(Granted("psk:one * * *", {.names = {"psk:On"}}));
  CHECK(Granted("\"cn:the one\" * * *", {.names = {"cn:the one"}}));
}

TEST_CASE("a star stands for any characters, and none") {
  const auto matches = [](std::string_view pattern, std::string_view name) {
    return NamePattern(pattern).Matches(name, {});
  };
  CHECK(matches("a*", "a"));
  CHECK(matches("*a*b*", "xaxbx"));
  CHECK(matches("**", ""));
  CHECK(matches("a*b*a", "aba"));
  CHECK(matches("a*bc*bd", "abcbcbd"));
  CHECK_FALSE(matches("a*a", "a"));
  CHECK_FALSE(matches("a*b", "abc"));
  CHECK_FALSE(matches("*a*b*", "ba"));
  CHECK_FALSE(matches("a", "aa"));
  CHECK_FALSE(matches("a*bb*b", "abb"));
}

TEST_CASE("{name} is who the peer is, and never a pattern") {
  const std::string list = "psk:* city {name} {name}-*";
  const auto may = [&list](const std::string& identity, const std::string& sender) {
    return Refusal(list, {.names = {"psk:" + identity}}, {"city", sender, identity + "-1"}).empty();
  };
  CHECK(may("gate", "gate"));
  CHECK_FALSE(may("gate", "door"));
  CHECK_FALSE(may("*", "gate"));
  CHECK(may("*", "*"));
  CHECK(may("{name}", "{name}"));
}

TEST_CASE("a network is of those who have proved nothing") {
  const auto in = [](const std::string& network, const std::string& address) {
    return Granted(network + " * * *", {.address = address});
  };
  CHECK(in("10.1.0.0/16", "10.1.255.255:1"));
  CHECK_FALSE(in("10.1.0.0/16", "10.2.0.0:1"));
  CHECK(in("10.1.128.0/17", "10.1.128.1:1"));
  CHECK_FALSE(in("10.1.128.0/17", "10.1.127.255:1"));
  CHECK(in("192.0.2.1", "192.0.2.1:9"));
  CHECK_FALSE(in("192.0.2.1", "192.0.2.2:9"));
  CHECK(in("0.0.0.0/0", "192.0.2.2:9"));
  CHECK(in("192.0.2.0/24", "[::ffff:192.0.2.9]:9"));
  CHECK_FALSE(in("0.0.0.0/0", "[2001:db8::1]:9"));
  CHECK(in("2001:db8::/32", "[2001:db8:ffff::1]:9"));
  CHECK_FALSE(in("2001:db8::/32", "[2001:db9::1]:9"));
  CHECK(in("::/0", "192.0.2.1:9"));
  CHECK_FALSE(Granted("0.0.0.0/0 * * *", {.names = {"psk:one"}}));
}

TEST_CASE("a wrong line is named, with what is wrong") {
  CHECK_THAT(Fault("* * * *\n* * *\n"), ContainsSubstring("line 2: is not WHO NAMESPACE SENDER"));
  CHECK_THAT(Fault("* * * * *"), ContainsSubstring("line 1: is not WHO"));
  CHECK_THAT(Fault("one * * *"), ContainsSubstring("'one' is neither psk:"));
  CHECK_THAT(Fault("psk: * * *"), ContainsSubstring("'psk:' is neither"));
  CHECK_THAT(Fault("10.0.0.0/33 * * *"), ContainsSubstring("no prefix of 0 to 32 bits"));
  CHECK_THAT(Fault("10.0.0.0/ * * *"), ContainsSubstring("no prefix of 0 to 32 bits"));
  CHECK_THAT(Fault("::/129 * * *"), ContainsSubstring("no prefix of 0 to 128 bits"));
  CHECK_THAT(Fault("10.1.2.0/16 * * *"), ContainsSubstring("has bits beyond its prefix"));
  CHECK_THAT(Fault("* \"a b * *"), ContainsSubstring("a quotation mark is missing"));
  CHECK_THAT(Fault("* \"a\"b * *"), ContainsSubstring("no blank after a quotation mark"));
  CHECK_THAT(Fault("* \"\" * *"), ContainsSubstring("a field is empty"));
  CHECK_THAT(Fault("10.0.0.0/8 * {name} *"), ContainsSubstring("{name} needs a WHO of psk:"));
  CHECK_THAT(Fault("psk:{name} * * *"), ContainsSubstring("{name} cannot be in WHO"));
}

}  // namespace collector
