#include "collector/coap/message.h"

#include "tests/unit/catch.h"

namespace collector {
namespace {

Bytes AsBytes(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// CON POST /events, message id 0x1234, token "ab", Content-Format 50, payload "{}".
const std::string kPost(
    "\x42\x02\x12\x34"
    "ab"
    "\xb6"
    "events"
    "\x11\x32"
    "\xff{}",
    18);

}  // namespace

TEST_CASE("a request is read") {
  MessageParser parser;
  Message message;
  REQUIRE(parser.Parse(AsBytes(kPost), &message));
  CHECK(message.type == MessageType::kConfirmable);
  CHECK(message.code == 0x02);
  CHECK(message.id == 0x1234);
  CHECK(message.token.size == 2);
  CHECK(message.path == "/events");
  CHECK(message.content_format == 50);
  CHECK_FALSE(message.accept.has_value());
  CHECK(message.payload == "{}");
  CHECK(message.critical_unknown == 0);
}

TEST_CASE("a parser keeps nothing of the message before") {
  MessageParser parser;
  Message message;
  REQUIRE(parser.Parse(AsBytes(kPost), &message));
  REQUIRE(parser.Parse(AsBytes(std::string("\x50\x01\x00\x01", 4)), &message));
  CHECK(message.type == MessageType::kNonConfirmable);
  CHECK(message.path == "/");
  CHECK(message.token.size == 0);
  CHECK(message.payload.empty());
  CHECK_FALSE(message.content_format.has_value());
}

TEST_CASE("segments are joined, a slash inside one is no separator") {
  MessageParser parser;
  Message message;
  REQUIRE(parser.Parse(AsBytes(std::string("\x40\x01\x00\x01\xb1"
                                           "a"
                                           "\x03"
                                           "b/c",
                                           10)),
                       &message));
  CHECK(message.path == "/a/b%2Fc");
}

TEST_CASE("an unknown critical option is told, an elective one is not") {
  MessageParser parser;
  Message message;
  // Option 65001 (odd, so critical) and 65000, without value.
  REQUIRE(parser.Parse(AsBytes(std::string("\x40\x01\x00\x01\xe0\xfc\xdc", 7)), &message));
  CHECK(message.critical_unknown == 65001);
  REQUIRE(parser.Parse(AsBytes(std::string("\x40\x01\x00\x01\xe0\xfc\xdb", 7)), &message));
  CHECK(message.critical_unknown == 0);
}

TEST_CASE("what is no CoAP message is refused") {
  MessageParser parser;
  Message message;
  const std::string bytes =
      GENERATE(std::string(""), std::string("\x40"), std::string("\x40\x01\x00", 3),
               std::string("\x80\x01\x00\x01", 4),  // version 2
               std::string("\x49\x01\x00\x01"
                           "123456789",
                           13),  // a token of nine bytes
               std::string("\x44\x01\x00\x01"
                           "12",
                           6),  // a token cut short
               std::string("\x40\x01\x00\x01\xb6"
                           "eve",
                           8),                           // an option cut short
               std::string("\x40\x01\x00\x01\xf0", 5),   // reserved option delta
               std::string("\x40\x01\x00\x01\xff", 5),   // a payload marker and no payload
               std::string("\x40\x00\x00\x01\x01", 5));  // an empty message that is not
  CAPTURE(bytes);
  CHECK_FALSE(parser.Parse(AsBytes(bytes), &message));
}

TEST_CASE("an answer reads back as it was written") {
  std::array<std::uint8_t, kAnswerBytesMax> buffer;
  Response response{.code = Code::kRequestEntityTooLarge,
                    .content_format = ContentFormat::kJson,
                    .max_age_seconds = 300,
                    .size1_bytes = 4096,
                    .payload = "too large"};
  Token token;
  token.bytes = {1, 2, 3, 4, 5, 6, 7, 8};
  token.size = 8;
  const Bytes bytes =
      EncodeAnswer({MessageType::kAcknowledgement, 0xbeef, token}, response, {}, buffer);
  MessageParser parser;
  Message message;
  REQUIRE(parser.Parse(bytes, &message));
  CHECK(message.type == MessageType::kAcknowledgement);
  CHECK(message.code == 0x8d);
  CHECK(message.id == 0xbeef);
  CHECK(message.token.size == 8);
  CHECK(message.token.bytes == token.bytes);
  CHECK(message.content_format == 50);
  CHECK(message.payload == "too large");
}

TEST_CASE("a plain 2.01 is header and token, a reset is four bytes") {
  std::array<std::uint8_t, kAnswerBytesMax> buffer;
  CHECK(EncodeAnswer({MessageType::kAcknowledgement, 1, {{9}, 1}}, {.code = Code::kCreated}, {},
                     buffer)
            .size() == 5);
  const Bytes reset = EncodeAnswer({MessageType::kReset, 0x0102, {}}, {}, {}, buffer);
  CHECK(std::string(reset.begin(), reset.end()) == std::string("\x70\x00\x01\x02", 4));
}

TEST_CASE("an answer that would not fit is cut, never longer than a datagram may be") {
  std::array<std::uint8_t, kAnswerBytesMax> buffer;
  const Bytes bytes =
      EncodeAnswer({MessageType::kAcknowledgement, 1, {}},
                   {.code = Code::kContent, .payload = std::string(5'000, 'x')}, {}, buffer);
  CHECK(bytes.size() == kAnswerBytesMax);
}

}  // namespace collector
