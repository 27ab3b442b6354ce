#include "collector/coap/block.h"

#include "collector/handlers/health.h"
#include "tests/fakes/collector_core.h"
#include "tests/unit/catch.h"

namespace collector {
namespace {

constexpr unsigned kEtag = 4, kBlock2 = 23, kSize2 = 28;
const AddressPair kPeer = WirePeer(0x000002, 40'000);

Response Content(std::size_t bytes) {
  std::string body;
  for (std::size_t i = 0; i < bytes; ++i) body.push_back(static_cast<char>('a' + i % 23));
  return {.code = Code::kContent, .payload = body};
}

WireAnswer Ask(CollectorCore* core, const WireRequest& request) {
  core->Receive(kPeer, request.Bytes());
  const auto sent = core->TakeSent();
  REQUIRE(sent.size() == 1);
  return ReadWire(sent[0].bytes);
}

// Makes the peer acknowledge a separate answer.
void Verify(CollectorCore* core) {
  core->Receive(kPeer, WirePost(WireType::kCon, 999, "v", WireEvent("o", 1)));
  core->TurnMs(core->now_ms + 1'000);
  core->TakeSent();
  core->store.CommitAll();
  core->Receive(kPeer, WireHeader(WireType::kAck, 0, ReadWire(core->TakeSent()[0].bytes).id, ""));
}

}  // namespace

TEST_CASE("an answer that fits stays whole, without block options") {
  Response response = Content(100);
  const BlockOptions options = CutToBlock({}, false, 136, &response);
  CHECK(response.payload.size() == 100);
  CHECK_FALSE(options.block2.has_value());
  CHECK_FALSE(options.etag.has_value());
}

TEST_CASE("the blocks of a body are all of it, under one entity tag") {
  const std::size_t bytes = GENERATE(17u, 64u, 65u, 1'000u, 1'025u, 5'000u);
  const auto exponent = static_cast<std::uint8_t>(GENERATE(0, 2, 6));
  const Response whole = Content(bytes);
  std::string got;
  std::optional<std::uint32_t> etag;
  for (std::uint32_t number = 0;; ++number) {
    Response response = whole;
    const auto options = CutToBlock(Block{.number = number, .size_exponent = exponent}, true,
                                    kAnswerBytesMax, &response);
    REQUIRE(options.block2.has_value());
    CHECK(options.block2->number == number);
    CHECK(options.block2->size_exponent == exponent);
    CHECK(options.size2 == bytes);
    if (number == 0) etag = options.etag;
    CHECK(options.etag == etag);
    got += response.payload;
    if (!options.block2->more) break;
    CHECK(response.payload.size() == options.block2->bytes());
  }
  CHECK(got == whole.payload);
}

TEST_CASE("where the block that is asked for does not fit, a smaller one begins at the same byte") {
  Response response = Content(2'000);
  const auto options = CutToBlock(Block{.number = 1, .size_exponent = 6}, false, 136, &response);
  CHECK(options.block2->size_exponent == 2);
  CHECK(options.block2->number == 16);
  CHECK(options.block2->more);
  CHECK(response.payload == Content(2'000).payload.substr(1'024, 64));
}

TEST_CASE("a block beyond the end is 4.00") {
  Response response = Content(128);
  const auto options = CutToBlock(Block{.number = 2, .size_exponent = 2}, false, 1'152, &response);
  CHECK(response.code == Code::kBadRequest);
  CHECK_FALSE(options.block2.has_value());
}

TEST_CASE("only content is cut to blocks") {
  Response created{.code = Code::kCreated};
  CHECK_FALSE(CutToBlock(Block{.number = 7}, false, 136, &created).block2.has_value());
  CHECK(created.code == Code::kCreated);
}

TEST_CASE("a diagnostic is cut at 64 bytes, not within a character") {
  Response response = Response::Diagnostic(Code::kBadRequest, std::string(63, 'x') + "\xc3\xa9y");
  CutToBlock({}, false, 1'152, &response);
  CHECK(response.payload == std::string(63, 'x'));
}

TEST_CASE("who may be somebody else gets at most 136 bytes or three times the request") {
  CHECK(AnswerBytesMax(false, 20) == 136);
  CHECK(AnswerBytesMax(false, 100) == 300);
  CHECK(AnswerBytesMax(false, 1'000) == kAnswerBytesMax);
  CHECK(AnswerBytesMax(true, 20) == kAnswerBytesMax);
}

TEST_CASE("the list of resources comes in blocks that are no amplification") {
  CollectorCore core;
  std::string got;
  for (std::uint32_t number = 0;; ++number) {
    WireRequest request{.id = static_cast<std::uint16_t>(number), .path = ".well-known/core"};
    if (number > 0) request.options.emplace(kBlock2, WireUint(WireBlock(number, false, 2)));
    core.Receive(kPeer, request.Bytes());
    const auto sent = core.TakeSent();
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].bytes.size() <= kUnverifiedAnswerBytesMax);
    const WireAnswer answer = ReadWire(sent[0].bytes);
    CHECK(answer.code == 0x45);
    CHECK(answer.options.count(kEtag) == 1);
    REQUIRE(answer.Uint(kBlock2).has_value());
    CHECK((*answer.Uint(kBlock2) & 7) == 2);
    got += answer.payload;
    if ((*answer.Uint(kBlock2) & 8) == 0) break;
  }
  CHECK(got == LinksMatching(""));
  CHECK(Ask(&core, {.id = 100,
                    .path = ".well-known/core",
                    .options = {{kBlock2, WireUint(WireBlock(100, false, 2))}}})
            .code == 0x80);
}

TEST_CASE("a peer that has acknowledged something gets the list whole") {
  CollectorCore core;
  Verify(&core);
  const WireAnswer answer = Ask(&core, {.path = ".well-known/core", .options = {{kSize2, ""}}});
  CHECK(answer.payload == LinksMatching(""));
  CHECK_FALSE(answer.Uint(kBlock2).has_value());
  CHECK(answer.Uint(kSize2) == LinksMatching("").size());
}

TEST_CASE("every answer to GET /health fits 136 bytes") {
  CollectorCore core;
  core.state.store_name = "elasticsearch";
  core.state.store_failing = GENERATE(true, false);
  core.Receive(kPeer, WireRequest{.token = "12345678", .path = "health"}.Bytes());
  const auto sent = core.TakeSent();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].bytes.size() <= kUnverifiedAnswerBytesMax);
  CHECK(ReadWire(sent[0].bytes).payload.ends_with("\"}"));
}

TEST_CASE("the reserved block size is 4.00, whichever option has it") {
  CollectorCore core;
  const unsigned option = GENERATE(23u, 27u);
  const WireAnswer answer =
      Ask(&core, {.code = 0x02, .options = {{option, "\x07"}}, .payload = "x"});
  CHECK(answer.code == 0x80);
}

}  // namespace collector
