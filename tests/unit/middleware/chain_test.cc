#include <spdlog/sinks/ostream_sink.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "collector/base/folding_sink.h"
#include "collector/middleware/access_log.h"
#include "collector/middleware/content_format.h"
#include "tests/fakes/collector_core.h"
#include "tests/unit/catch.h"

namespace collector {
namespace {

const AddressPair kPeer = WirePeer(2, 40'000);

std::string Get(std::string_view options) {
  return WireHeader(WireType::kCon, 0x01, 1, "").append(options);
}

std::string AnswerTo(CollectorCore* core, std::string_view request) {
  core->Receive(kPeer, request);
  const auto sent = core->TakeSent();
  REQUIRE(sent.size() == 1);
  return sent[0].bytes;
}

// Log lines with their messages only.
std::string WithoutFields(std::string lines) {
  for (std::size_t at = 0; (at = lines.find(kFieldsFollow, at)) != std::string::npos;) {
    lines.erase(at, lines.find('\n', at) - at);
  }
  return lines;
}

class CountingSink : public ReplySink {
 public:
  void Answer(std::uint32_t, Response) override { ++answers; }
  void AddHook(std::uint32_t, AnswerHook*) override {}
  int answers = 0;
};

}  // namespace

TEST_CASE("a chain runs in reading order, and a middleware may stop it") {
  std::string order;
  const auto note = [&order](char name) -> Middleware {
    return [&order, name](Handler next) -> Handler {
      return [&order, name, next = std::move(next)](const Request& request, Reply reply) {
        order.push_back(name);
        next(request, std::move(reply));
      };
    };
  };
  const Middleware stop = [](Handler) -> Handler {
    return [](const Request&, Reply reply) { std::move(reply).Send({.code = Code::kNotFound}); };
  };
  const Handler last = [&order](const Request&, Reply reply) {
    order.push_back('.');
    std::move(reply).Send({.code = Code::kContent});
  };
  CountingSink sink;
  Chain({note('a'), note('b')}, last)({}, Reply(&sink, 0));
  CHECK(order == "ab.");
  Chain({note('c'), stop, note('d')}, last)({}, Reply(&sink, 0));
  CHECK(order == "ab.c");
  CHECK(sink.answers == 2);
}

TEST_CASE("the router tells an unknown path from an unknown method") {
  CollectorCore core;
  CHECK(ReadWire(AnswerTo(&core, Get("\xb6"
                                     "health")))
            .code == 0x45);
  CHECK(ReadWire(AnswerTo(&core, Get("\xb6"
                                     "helath")))
            .code == 0x84);
  CHECK(ReadWire(AnswerTo(&core, Get("\xb6"
                                     "events")))
            .code == 0x85);
  CHECK(ReadWire(AnswerTo(&core, Get(""))).code == 0x84);
  CHECK(ReadWire(AnswerTo(&core, WireHeader(WireType::kCon, 0x1f, 1, "")
                                     .append("\xb6"
                                             "health")))
            .code == 0x85);
}

TEST_CASE("health names the format it was asked for, or refuses") {
  CollectorCore core;
  CHECK(ReadWire(AnswerTo(&core, Get("\xb6"
                                     "health"
                                     "\x61\x32")))
            .code == 0x45);
  CHECK(ReadWire(AnswerTo(&core, Get("\xb6"
                                     "health"
                                     "\x61\x70")))
            .code == 0x86);
  // 2.05, message id 1, Content-Format 60, Max-Age of no bytes, a map of four.
  const std::string cbor = AnswerTo(&core, Get("\xb6"
                                               "health"
                                               "\x61\x3c"));
  CHECK(cbor.substr(0, 9) == std::string("\x60\x45\x00\x01\xc1\x3c\x20\xff\xa4", 9));
  const auto health = nlohmann::json::from_cbor(cbor.substr(8));
  CHECK(health.at("status") == "ok");
  CHECK(health.size() == 4);
  core.state.phase = ServiceState::Phase::kDraining;
  CHECK(ReadWire(AnswerTo(&core, Get("\xb6"
                                     "health")))
            .code == 0xa3);
}

TEST_CASE("default headers: JSON and Max-Age 0 on what this server tells") {
  CollectorCore core;
  // 2.05, message id 1, Content-Format 50, Max-Age of no bytes, then the payload.
  const std::string answer = AnswerTo(&core, Get("\xb6"
                                                 "health"));
  CHECK(answer.substr(0, 8) == std::string("\x60\x45\x00\x01\xc1\x32\x20\xff", 8));
}

TEST_CASE("a content format that no handler reads is 4.15") {
  CollectorCore core;
  const auto post = [](std::string_view format) {
    return WireHeader(WireType::kCon, 0x02, 1, "")
               .append(
                   "\xb6"
                   "events")
               .append(format) +
           "\xff{}";
  };
  CHECK(ReadWire(AnswerTo(&core, post("\x11\x2a"))).code == 0x8f);
  CHECK(ReadWire(AnswerTo(&core, post("\x10"))).code == 0x8f);
  for (const char* format : {"", "\x11\x32", "\x11\x3c", "\x11\x6e", "\x11\x70"}) {
    CAPTURE(format);
    CHECK(ReadWire(AnswerTo(&core, post(format))).code == 0x80);  // read, and no event
  }
}

TEST_CASE("a content format may be asked for") {
  CountingSink sink;
  int passed = 0;
  const Handler next = [&passed](const Request&, Reply reply) {
    ++passed;
    std::move(reply).Send({.code = Code::kCreated});
  };
  Request request;
  request.method = Code::kPost;
  Chain({CheckContentFormat({.required = true})}, next)(request, Reply(&sink, 0));
  CHECK(passed == 0);
  request.content_format = 50;
  Chain({CheckContentFormat({.required = true})}, next)(request, Reply(&sink, 0));
  CHECK(passed == 1);
  request.method = Code::kGet;
  request.content_format.reset();
  Chain({CheckContentFormat({.required = true})}, next)(request, Reply(&sink, 0));
  CHECK(passed == 2);
  CHECK(sink.answers == 3);
}

TEST_CASE("the access log writes a line a request up to its rate, then one a second") {
  std::ostringstream out;
  auto log = std::make_shared<spdlog::logger>(
      "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(out));
  log->set_pattern("%v");
  Metrics metrics;
  AccessLog access_log(log, &metrics, 2);
  Response created{.code = Code::kCreated};
  Response bad = Response::Diagnostic(Code::kBadRequest, "origin is missing");
  const AnsweredRequest request{Code::kPost, "/events", kPeer.remote, 1'500'000};
  access_log.Tick(10 * kNsPerSecond);
  access_log.OnAnswer(request, &created);
  access_log.OnAnswer({Code::kGet, "/a\nb", kPeer.remote, 1'500'000}, &bad);
  CHECK(out.str().empty());  // not before the answers were sent
  for (int i = 0; i < 5; ++i) access_log.OnAnswer(request, &created);
  access_log.OnAnswer(request, &bad);
  access_log.Tick(10 * kNsPerSecond + 1);  // the second is not over
  const auto messages = [&out] { return WithoutFields(out.str()); };
  CHECK(messages() ==
        "127.0.0.2:40000 POST /events > 2.01 1.50 ms\n"
        "127.0.0.2:40000 GET /a?b > 4.00 1.50 ms: origin is missing\n");
  CHECK(
      out.str().find(R"("client.address":"127.0.0.2","client.port":40000,"url.path":"/events")") !=
      std::string::npos);
  out.str("");
  access_log.Tick(11 * kNsPerSecond);
  CHECK(messages() == "and 6 more requests in this second: 2.01=5 4.00=1, longest 1.50 ms\n");
  CHECK(metrics.coap.answers[CountedPath("/events")].by_code[0x41].Get() == 6);
}

}  // namespace collector
