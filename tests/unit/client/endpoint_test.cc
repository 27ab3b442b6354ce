#include "client/endpoint.h"

#include "tests/unit/catch.h"

namespace collector::client {
namespace {

std::string Shown(std::string_view text) {
  const auto endpoint = ParseEndpoint(text);
  if (!endpoint.ok()) return "error";
  const Endpoint& at = endpoint.value();
  return at.host + (at.port.has_value() ? " " + std::to_string(*at.port) : "");
}

TEST_CASE("names, addresses and URIs name the collector") {
  CHECK(Shown("edge.example") == "edge.example");
  CHECK(Shown("192.0.2.1") == "192.0.2.1");
  CHECK(Shown("::1") == "::1");
  CHECK(Shown("[::1]") == "::1");
  CHECK(Shown("coap://edge") == "edge");
  CHECK(Shown("coap://edge/") == "edge");
  CHECK(Shown("coap://edge:") == "edge");
  CHECK(Shown("coap://edge:5685") == "edge 5685");
  CHECK(Shown("coap://[2001:db8::1]:7/") == "2001:db8::1 7");
  CHECK(Shown("coap://[fe80::1%eth0]") == "fe80::1%eth0");
}

TEST_CASE("coaps:// is DTLS") {
  CHECK(Shown("coaps://edge:7") == "edge 7");
  CHECK(ParseEndpoint("coaps://edge").value().dtls);
  CHECK_FALSE(ParseEndpoint("coap://edge").value().dtls);
  CHECK_FALSE(ParseEndpoint("edge").value().dtls);
}

TEST_CASE("what names no collector is refused") {
  for (const char* text : {"", "coap://", "coap://:7", "coap://edge:0", "coap://edge:65536",
                           "coap://edge:x", "coap://edge/events", "coap://me@edge", "http://edge",
                           "coap://[::1", "[::1]:7", "[::1]x"}) {
    INFO(text);
    CHECK(Shown(text) == "error");
  }
}

}  // namespace
}  // namespace collector::client
