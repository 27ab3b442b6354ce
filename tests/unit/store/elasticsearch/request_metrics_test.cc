#include "collector/store/elasticsearch/request_metrics.h"

#include <spdlog/sinks/ostream_sink.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/fakes/fake_http_client.h"
#include "tests/fakes/wire.h"
#include "tests/unit/catch.h"

namespace collector {
namespace {

using nlohmann::json;

constexpr std::size_t kSamplesMax = 5;
constexpr const char* kBusy =
    R"({"create":{"status":429,"error":{"type":"rejected_execution_exception","reason":"full"}}})";

std::string Answer(std::size_t created, std::size_t busy = 0) {
  std::string items;
  for (std::size_t i = 0; i < created; ++i) items += R"({"create":{"status":201}},)";
  for (std::size_t i = 0; i < busy; ++i) items += std::string(kBusy) + ",";
  items.pop_back();
  return R"({"errors":)" + std::string(busy > 0 ? "true" : "false") + R"(,"items":[)" + items +
         "]}";
}

class RequestMetricsTest {
 public:
  explicit RequestMetricsTest(const std::vector<std::string>& urls = {"http://a:9200"})
      : sampler(kSamplesMax, 1),
        sender(urls, "host/0", &sampler, &http, &metrics,
               std::make_shared<spdlog::logger>(
                   "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_text_, true))) {
    TurnAfterMs(1'000);
  }

  void AnswerRequests(int count) {
    Response created{.code = Code::kCreated};
    for (int i = 0; i < count; ++i) {
      sampler.OnAnswer({Code::kPost, "/events", WirePeer(1, 2).remote, 1'500'000}, &created);
    }
  }
  void TurnAfterMs(std::int64_t ms) {
    now_ns_ += ms * kNsPerMs;
    sampler.SetTime({now_ns_, now_ns_});
    sender.Tick(now_ns_, store_fails);
    CHECK(sender.due_ns() > now_ns_);  // else the loop would spin
  }
  [[nodiscard]] std::int64_t DueInMs() const { return (sender.due_ns() - now_ns_) / kNsPerMs; }
  // All of one request under way.
  [[nodiscard]] std::vector<json> Documents() const {
    REQUIRE(http.sent.size() == 1);
    std::istringstream lines(http.sent[0].request.body);
    std::vector<json> documents;
    for (std::string line; std::getline(lines, line);) {
      CHECK(line == R"({"create":{}})");
      REQUIRE(std::getline(lines, line));
      documents.push_back(json::parse(line));
    }
    return documents;
  }
  [[nodiscard]] std::uint64_t written() const { return metrics.request_metrics.written.Get(); }
  [[nodiscard]] std::uint64_t dropped() const { return metrics.request_metrics.dropped.Get(); }
  [[nodiscard]] std::string Log() const { return log_text_.str(); }

  FakeHttpClient http;
  Metrics metrics;
  RequestSampler sampler;
  bool store_fails = false;

 private:
  std::ostringstream log_text_;
  std::int64_t now_ns_ = 0;

 public:
  RequestMetrics sender;
};

std::uint64_t RequestsIn(const std::vector<json>& documents) {
  std::uint64_t requests = 0;
  for (const json& document : documents) requests += document.at("requests").get<std::uint64_t>();
  return requests;
}

}  // namespace

TEST_CASE("a sampled request as a document") {
  std::string lines;
  AppendRequestMetric({.arrived_wall_ns = 1'795'238'000'123'456'789,
                       .duration_ns = 1'234'567,
                       .method = Code::kPost,
                       .code = Code::kServiceUnavailable,
                       .path = "/e\"\n\xc3",  // cut in the middle of a character
                       .requests = 12},
                      "host", &lines);
  const std::size_t document = lines.find('\n') + 1;
  CHECK(lines.substr(0, document) == "{\"create\":{}}\n");
  CHECK(lines.find('\n', document) == lines.size() - 1);
  CHECK(json::parse(lines.substr(document)) == json{{"@timestamp", "2026-11-21T05:13:20.123Z"},
                                                    {"method", "POST"},
                                                    {"path", "/e\"\n\xef\xbf\xbd"},
                                                    {"code", "5.03"},
                                                    {"processing_time_us", 1'234},
                                                    {"requests", 12},
                                                    {"replica", "host"}});
}

TEST_CASE("request metrics go out a second after the first request, all at once") {
  RequestMetricsTest test;
  CHECK(test.sender.due_ns() == kNever);  // nothing to send wakes nobody
  test.AnswerRequests(2);
  CHECK(test.DueInMs() == 1'000);
  test.TurnAfterMs(999);
  CHECK(test.http.sent.empty());
  test.AnswerRequests(98);
  test.TurnAfterMs(1);
  const auto documents = test.Documents();
  CHECK(documents.size() == kSamplesMax);
  CHECK(RequestsIn(documents) == 100);
  CHECK(documents[0].at("replica") == "host/0");
  const HttpRequest& request = test.http.sent[0].request;
  CHECK(request.method == "POST");
  CHECK(request.url.starts_with("http://a:9200/metrics-coap.requests-default/_bulk?"));
  CHECK(request.content_type == "application/x-ndjson");
  test.http.Answer(200, Answer(kSamplesMax));
  CHECK(test.written() == kSamplesMax);
  CHECK(test.dropped() == 0);
  CHECK(test.sender.due_ns() == kNever);
  CHECK(test.Log().empty());
}

TEST_CASE("one request of request metrics is under way at a time") {
  RequestMetricsTest test;
  test.AnswerRequests(1);
  test.TurnAfterMs(1'000);
  test.AnswerRequests(10);
  CHECK(test.sender.due_ns() == kNever);
  test.TurnAfterMs(3'000);
  test.AnswerRequests(10);
  test.TurnAfterMs(1'000);
  CHECK(test.http.sent.size() == 1);
  test.http.Answer(200, Answer(1));
  test.TurnAfterMs(0);
  CHECK(RequestsIn(test.Documents()) == 20);  // the sample went on meanwhile
}

TEST_CASE("what fails is dropped, and the next waits") {
  RequestMetricsTest test;
  test.AnswerRequests(3);
  test.TurnAfterMs(1'000);
  SECTION("no answer") { test.http.Break("http://a:9200: connection refused"); }
  SECTION("refused as a whole") { test.http.Answer(403, "{}"); }
  SECTION("no whole answer") { test.http.Answer(200, "<html>"); }
  SECTION("an answer to something else") { test.http.Answer(200, Answer(2)); }
  SECTION("items refused") { test.http.Answer(200, Answer(0, 3)); }
  CHECK(test.dropped() == 3);
  CHECK(test.written() == 0);
  CHECK(test.Log().find("3 of 3 request metrics dropped") != std::string::npos);
  const std::string log = test.Log();
  test.AnswerRequests(2);
  CHECK(test.DueInMs() == 30'000);
  test.TurnAfterMs(29'999);
  CHECK(test.http.sent.empty());
  test.TurnAfterMs(1);
  CHECK(RequestsIn(test.Documents()) == 2);  // not the three again
  test.http.Break("connection refused");
  CHECK(test.dropped() == 5);
  CHECK(test.Log() == log);  // told once
  test.AnswerRequests(1);
  test.TurnAfterMs(30'000);
  test.http.Answer(200, Answer(1));
  CHECK(test.written() == 1);
  CHECK(test.Log().find("written again") != std::string::npos);
}

TEST_CASE("some items refused: only they are dropped") {
  RequestMetricsTest test;
  test.AnswerRequests(3);
  test.TurnAfterMs(1'000);
  test.http.Answer(200, Answer(1, 2));
  CHECK(test.written() == 1);
  CHECK(test.dropped() == 2);
  CHECK(test.Log().find("rejected_execution_exception: full") != std::string::npos);
}

TEST_CASE("while the store fails no request metrics are sent") {
  RequestMetricsTest test;
  test.store_fails = true;
  test.TurnAfterMs(1);
  test.AnswerRequests(7);
  CHECK(test.sender.due_ns() == kNever);
  test.TurnAfterMs(60'000);
  CHECK(test.http.sent.empty());
  test.store_fails = false;
  test.TurnAfterMs(1);
  CHECK(RequestsIn(test.Documents()) == 7);
  CHECK(test.dropped() == 0);
}

TEST_CASE("request metrics go to the engine's URLs in turn") {
  RequestMetricsTest test({"http://a:9200", "http://b:9200"});
  for (const char* url : {"http://a:9200/", "http://b:9200/"}) {
    test.AnswerRequests(1);
    test.TurnAfterMs(1'000);
    REQUIRE(test.http.sent.size() == 1);
    CHECK(test.http.sent[0].request.url.starts_with(url));
    test.http.Answer(200, Answer(1));
  }
}

}  // namespace collector
