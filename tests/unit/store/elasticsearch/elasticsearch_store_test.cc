#include "collector/store/elasticsearch/elasticsearch_store.h"

#include <spdlog/sinks/ostream_sink.h>

#include <sstream>

#include "tests/fakes/events.h"
#include "tests/fakes/fake_http_client.h"
#include "tests/unit/catch.h"

namespace collector {
namespace {

constexpr const char* kCreated = R"({"create":{"status":201}})";
constexpr const char* kConflict =
    R"({"create":{"status":409,"error":{"type":"version_conflict_engine_exception"}}})";
constexpr const char* kMapping =
    R"({"create":{"status":400,"error":{"type":"mapper_parsing_exception","reason":"failed to )"
    R"(parse field [value.number]. Preview of field's value: 'secret'"}}})";
constexpr const char* kBusy =
    R"({"create":{"status":429,"error":{"type":"rejected_execution_exception","reason":"r"}}})";
constexpr const char* kNoIndex =
    R"({"create":{"status":404,"error":{"type":"index_not_found_exception","reason":"r"}}})";

std::string Items(const std::vector<std::string>& items) {
  std::string body = R"({"errors":true,"items":[)";
  for (const std::string& item : items) body += (&item == items.data() ? "" : ",") + item;
  return body + "]}";
}
std::string Created(std::size_t count) { return Items(std::vector<std::string>(count, kCreated)); }

class StoreTest {
 public:
  explicit StoreTest(const ElasticsearchOptions& options = {}) : options_(options) {
    log_sink_ = std::make_shared<spdlog::sinks::ostream_sink_mt>(log_text_, true);
    store = std::make_unique<ElasticsearchStore>(
        options_, 1, &http, &metrics, std::make_shared<spdlog::logger>("test", log_sink_));
    TurnAfterMs(1'000);
  }
  ~StoreTest() {  // what a test leaves open ends by its deadline
    TurnAfterMs(options_.event_deadline_ms + 1);
  }

  // One event a ticket.
  void Submit(std::uint32_t first, std::uint32_t count = 1) {
    for (std::uint32_t ticket = first; ticket < first + count; ++ticket) {
      store->Submit(TestEvent(ticket).stored(), Completion(&outcomes, ticket));
    }
  }
  void SubmitAndFlush(std::uint32_t first, std::uint32_t count = 1) {
    Submit(first, count);
    store->Flush();
  }
  void TurnAfterMs(std::int64_t ms) {
    now_ns_ += ms * kNsPerMs;
    store->Tick({now_ns_, now_ns_});
    store->Flush();
    CHECK(store->due_ns() > now_ns_);  // else the loop would spin
  }
  // Goes to when the store wants the next turn.
  void TurnWhenDue() {
    REQUIRE(store->due_ns() != kNever);
    now_ns_ = store->due_ns();
    TurnAfterMs(0);
  }
  [[nodiscard]] std::size_t EventsIn(std::size_t request) const {
    const std::string& body = http.sent.at(request).request.body;
    return static_cast<std::size_t>(std::count(body.begin(), body.end(), '\n')) / 2;
  }
  [[nodiscard]] std::vector<std::string> OriginsIn(std::size_t request) const {
    std::istringstream lines(http.sent.at(request).request.body);
    std::vector<std::string> origins;
    for (std::string line; std::getline(lines, line);) {
      const Json json = Json::parse(line);
      if (json.contains("origin")) origins.push_back(json["origin"]);
    }
    return origins;
  }
  [[nodiscard]] Outcome OutcomeOf(std::uint32_t ticket) const {
    const Outcomes::Ended* ended = outcomes.Of(ticket);
    REQUIRE(ended != nullptr);
    return ended->outcome;
  }
  [[nodiscard]] bool IsOpen(std::uint32_t ticket) const { return outcomes.Of(ticket) == nullptr; }
  [[nodiscard]] std::string Log() const { return log_text_.str(); }
  [[nodiscard]] std::int64_t now_ms() const { return now_ns_ / kNsPerMs; }
  // Fails requests until the breaker is open.
  void OpenBreaker(std::uint32_t first_ticket) {
    for (int i = 0; i < options_.breaker_failures; ++i) {
      SubmitAndFlush(first_ticket + static_cast<std::uint32_t>(i));
      http.Break("http://a:9200: connection refused");
    }
    REQUIRE(metrics.elasticsearch.breaker_open.Get() == 1);
  }

  FakeHttpClient http;
  Metrics metrics;
  Outcomes outcomes;
  std::unique_ptr<ElasticsearchStore> store;

 private:
  ElasticsearchOptions options_;
  std::ostringstream log_text_;
  std::shared_ptr<spdlog::sinks::ostream_sink_mt> log_sink_;
  std::int64_t now_ns_ = 0;
};

ElasticsearchOptions OneHost() {
  ElasticsearchOptions options;
  options.urls = {"http://a:9200"};
  return options;
}

}  // namespace

TEST_CASE("a lone event goes out at once and is answered by its item") {
  StoreTest test;
  test.Submit(1);
  CHECK(test.http.sent.empty());
  test.store->Flush();
  REQUIRE(test.http.sent.size() == 1);
  const HttpRequest& request = test.http.sent[0].request;
  CHECK(request.method == "POST");
  CHECK(request.url ==
        "http://127.0.0.1:9200/metrics-coap.events-default/_bulk?filter_path=errors,"
        "items.*.status,items.*.error.type,items.*.error.reason,items.*.failure_store");
  CHECK(request.content_type == "application/x-ndjson");
  CHECK(request.timeout_ms == 30'000);
  CHECK(test.IsOpen(1));
  test.http.Answer(200, R"({"errors":false,"items":[{"create":{"status":201}}]})");
  CHECK(test.OutcomeOf(1) == Outcome::kStored);
  CHECK(test.metrics.elasticsearch.requests_ok.Get() == 1);
  CHECK(test.metrics.elasticsearch.items_stored.Get() == 1);
  CHECK(test.store->health() == StoreHealth::kOk);
  CHECK(test.store->name() == "elasticsearch");
  CHECK(test.Log().empty());
}

TEST_CASE("batches fill while requests are under way, up to their limits") {
  ElasticsearchOptions options;
  options.batch_events_max = 10;
  StoreTest test(options);
  test.SubmitAndFlush(0);
  test.SubmitAndFlush(1);
  CHECK(test.http.sent.size() == 2);
  test.SubmitAndFlush(2, 25);
  CHECK(test.http.sent.size() == 2);  // requests_in_flight_max
  test.http.Answer(200, Created(1));
  REQUIRE(test.http.sent.size() == 2);
  CHECK(test.EventsIn(1) == 10);
  test.http.Answer(200, Created(1));
  CHECK(test.EventsIn(1) == 10);
  test.http.Answer(200, Created(10));
  REQUIRE(test.http.sent.size() == 2);
  CHECK(test.EventsIn(1) == 5);
  test.http.Answer(200, Created(10));
  CHECK(test.http.sent.size() == 1);
  test.http.Answer(200, Created(5));
  CHECK(test.outcomes.all.size() == 27);
  CHECK(test.metrics.elasticsearch.requests_in_flight.Get() == 0);
}

TEST_CASE("no batch is larger than its limit of bytes, but for a single event") {
  std::string lines;
  AppendCreate(TestEvent(1).stored(), &lines);
  ElasticsearchOptions options;
  options.batch_bytes_max = 2 * lines.size() + 5;
  StoreTest test(options);
  test.Submit(0);
  test.store->Submit(TestEvent(1, std::string(1'000, 'x')).stored(), Completion(&test.outcomes, 1));
  test.Submit(2, 3);
  test.store->Flush();
  std::vector<std::size_t> sizes;
  while (!test.http.sent.empty()) {
    sizes.push_back(test.EventsIn(0));
    test.http.Answer(200, Created(sizes.back()));
  }
  CHECK(sizes == std::vector<std::size_t>{1, 1, 2, 1});
  CHECK(test.outcomes.all.size() == 5);
}

TEST_CASE("a second request waits for its share, or for one that hangs") {
  StoreTest test;
  test.SubmitAndFlush(0, 100);
  test.SubmitAndFlush(100, 49);
  CHECK(test.http.sent.size() == 1);
  CHECK(test.store->due_ns() == (test.now_ms() + 100) * kNsPerMs);
  test.SubmitAndFlush(149);
  REQUIRE(test.http.sent.size() == 2);
  CHECK(test.EventsIn(1) == 50);
  test.http.Answer(200, Created(50), 1);
  test.SubmitAndFlush(150);
  CHECK(test.http.sent.size() == 1);
  test.TurnAfterMs(99);
  CHECK(test.http.sent.size() == 1);
  test.TurnAfterMs(1);
  CHECK(test.http.sent.size() == 2);
}

TEST_CASE("outcomes go by position, and only what was not taken now is sent again") {
  StoreTest test;
  test.SubmitAndFlush(0, 5);
  test.http.Answer(200, Items({kCreated, kConflict, kMapping, kBusy, kCreated}));
  CHECK(test.OutcomeOf(0) == Outcome::kStored);
  CHECK(test.OutcomeOf(1) == Outcome::kDuplicate);
  CHECK(test.OutcomeOf(2) == Outcome::kRefused);
  CHECK(test.outcomes.Of(2)->reason == "mapper_parsing_exception");
  CHECK(test.outcomes.Of(1)->reason.empty());
  CHECK(test.IsOpen(3));
  CHECK(test.OutcomeOf(4) == Outcome::kStored);
  CHECK(test.http.sent.empty());
  CHECK(test.store->due_ns() <= (test.now_ms() + 100) * kNsPerMs);
  test.TurnWhenDue();
  REQUIRE(test.http.sent.size() == 1);
  CHECK(test.OriginsIn(0) == std::vector<std::string>{"3"});
  test.http.Answer(200, Items({kCreated}));
  CHECK(test.OutcomeOf(3) == Outcome::kStored);
  CHECK(test.metrics.elasticsearch.requests_partial.Get() == 1);
  CHECK(test.metrics.elasticsearch.items_stored.Get() == 3);
  CHECK(test.metrics.elasticsearch.items_duplicate.Get() == 1);
  CHECK(test.metrics.elasticsearch.items_refused.Get() == 1);
  CHECK(test.metrics.elasticsearch.items_not_now.Get() == 1);
  CHECK(test.metrics.elasticsearch.events_retried.Get() == 1);
  CHECK(test.Log().find("mapper_parsing_exception: failed to parse field [value.number]") !=
        std::string::npos);
  CHECK(test.Log().find("secret") == std::string::npos);
}

TEST_CASE("what is kept in a failure store is counted apart") {
  StoreTest test;
  test.SubmitAndFlush(0);
  test.http.Answer(200, Items({R"({"create":{"status":201,"failure_store":"used"}})"}));
  CHECK(test.OutcomeOf(0) == Outcome::kStored);
  CHECK(test.metrics.elasticsearch.items_in_failure_store.Get() == 1);
}

TEST_CASE("an answer that is not known to be whole tells nothing") {
  for (const std::string& body :
       {Created(3).substr(0, 60), Created(2), Created(4), std::string("<html>"), std::string()}) {
    StoreTest test;
    test.SubmitAndFlush(0, 3);
    test.http.Answer(200, body);
    CHECK(test.outcomes.all.empty());
    CHECK(test.store->health() == StoreHealth::kFailing);
    test.TurnWhenDue();
    CHECK(test.EventsIn(0) == 3);
    test.http.Answer(200, Items({kConflict, kConflict, kConflict}));
    CHECK(test.outcomes.all.size() == 3);
    CHECK(test.OutcomeOf(2) == Outcome::kDuplicate);
    CHECK(test.store->health() == StoreHealth::kOk);
  }
}

TEST_CASE("a request that failed is tried again whole, and told once") {
  StoreTest test(OneHost());
  test.SubmitAndFlush(0, 2);
  test.http.Break("http://a:9200: connection reset by peer");
  CHECK(test.outcomes.all.empty());
  CHECK(test.store->health() == StoreHealth::kFailing);
  test.TurnWhenDue();
  test.http.Break("http://a:9200: connection reset by peer");
  test.TurnWhenDue();
  CHECK(test.EventsIn(0) == 2);
  test.http.Answer(200, Created(2));
  CHECK(test.outcomes.all.size() == 2);
  CHECK(test.store->health() == StoreHealth::kOk);
  const std::string log = test.Log();
  CHECK(log.find("http://a:9200: connection reset by peer; its events") != std::string::npos);
  CHECK(log.find("http://a:9200 takes events again, after 2 failed requests") != std::string::npos);
  CHECK(std::count(log.begin(), log.end(), '\n') == 2);
  CHECK(test.metrics.elasticsearch.requests_failed.Get() == 2);
}

TEST_CASE("an operator's error loses no event and says what to do") {
  const auto [status, advice, denied] =
      GENERATE(table<int, std::string, unsigned>({{401, "check the user and password", 1u},
                                                  {403, "lacks privileges", 1u},
                                                  {404, "collector setup", 0u}}));
  StoreTest test(OneHost());
  test.SubmitAndFlush(0);
  test.http.Answer(status, R"({"error":{"type":"some_exception","reason":"why"},"status":0})");
  CHECK(test.IsOpen(0));
  CHECK(test.Log().find("POST http://a:9200/metrics-coap.events-default/_bulk: " +
                        std::to_string(status) + " some_exception why; ") != std::string::npos);
  CHECK(test.Log().find(advice) != std::string::npos);
  CHECK(test.metrics.elasticsearch.requests_denied.Get() == denied);
  test.TurnWhenDue();
  test.http.Answer(200, Created(1));
  CHECK(test.OutcomeOf(0) == Outcome::kStored);
}

TEST_CASE("a stream that is missing loses no event") {
  StoreTest test;
  test.SubmitAndFlush(0);
  test.http.Answer(200, Items({kNoIndex}));
  CHECK(test.IsOpen(0));
  CHECK(test.store->health() == StoreHealth::kFailing);
  CHECK(test.Log().find("index_not_found_exception") != std::string::npos);
}

TEST_CASE("a busy engine is left alone, but does not open the breaker") {
  StoreTest test(OneHost());
  test.SubmitAndFlush(0);
  for (int i = 0; i < 8; ++i) {
    test.http.Answer(429, R"({"error":{"type":"circuit_breaking_exception","reason":"r"}})");
    CHECK(test.store->health() == StoreHealth::kFailing);
    test.TurnWhenDue();
    REQUIRE(test.http.sent.size() == 1);
  }
  CHECK(test.metrics.elasticsearch.breaker_open.Get() == 0);
  test.http.Answer(200, Created(1));
  CHECK(test.OutcomeOf(0) == Outcome::kStored);
}

TEST_CASE("an engine without memory for a request gets smaller ones, and larger ones again") {
  StoreTest test(OneHost());
  test.SubmitAndFlush(0, 400);
  test.http.Answer(429, "");
  test.TurnWhenDue();
  REQUIRE(test.http.sent.size() == 2);
  CHECK(test.EventsIn(0) == 200);
  CHECK(test.EventsIn(1) == 200);
  test.http.Answer(200, Created(200));  // 226 from now on
  test.http.Answer(200, Created(200));  // 255
  test.SubmitAndFlush(400, 300);
  CHECK(test.EventsIn(0) == 255);
  test.http.Answer(200, Created(255));
  CHECK(test.EventsIn(0) == 45);
  test.http.Answer(429, "");
  test.TurnWhenDue();
  CHECK(test.EventsIn(0) == 45);  // that was not for its size
  test.http.Answer(200, Created(45));
  for (std::uint32_t ticket = 0; ticket < 700; ++ticket) {
    REQUIRE(test.OutcomeOf(ticket) == Outcome::kStored);
  }
}

TEST_CASE("a batch that is too large goes in parts, and the next ones are smaller") {
  StoreTest test;
  test.SubmitAndFlush(0, 4);
  const std::size_t bytes = test.http.sent[0].request.body.size();
  test.http.Answer(413, "");
  REQUIRE(test.http.sent.size() == 2);
  CHECK(test.OriginsIn(0) == std::vector<std::string>{"0", "1"});
  CHECK(test.OriginsIn(1) == std::vector<std::string>{"2", "3"});
  test.http.Answer(413, "");
  test.http.Answer(200, Created(2), 0);
  REQUIRE(test.http.sent.size() == 2);
  CHECK(test.EventsIn(0) == 1);
  CHECK(test.EventsIn(1) == 1);
  test.http.Answer(413, "");
  test.http.Answer(200, Created(1));
  CHECK(test.OutcomeOf(0) == Outcome::kRefused);
  CHECK(test.outcomes.Of(0)->reason == "too_large");
  for (const std::uint32_t ticket : {1u, 2u, 3u}) CHECK(test.OutcomeOf(ticket) == Outcome::kStored);
  CHECK(test.Log().find("now at most " + std::to_string(bytes / 2)) != std::string::npos);
  test.SubmitAndFlush(10, 3);
  CHECK(test.EventsIn(0) == 1);

  // And larger again, in time: it may have been one large event, or somebody mended the limit.
  for (std::uint32_t ticket = 10; !test.http.sent.empty(); ++ticket) {
    test.http.Answer(200, Created(test.EventsIn(0)));
    if (ticket < 40) test.SubmitAndFlush(ticket + 10);
  }
  test.SubmitAndFlush(100, 3);
  CHECK(test.EventsIn(0) == 3);
}

TEST_CASE("at its deadline an event is answered, whatever is under way") {
  StoreTest test;
  test.SubmitAndFlush(0);
  test.TurnAfterMs(10);
  test.Submit(1);
  test.TurnAfterMs(19'989);
  CHECK(test.outcomes.all.empty());
  test.TurnAfterMs(1);
  CHECK(test.OutcomeOf(0) == Outcome::kNotNow);
  CHECK(test.IsOpen(1));
  test.TurnWhenDue();
  CHECK(test.OutcomeOf(1) == Outcome::kNotNow);
  REQUIRE(test.http.sent.size() == 2);
  // It was stored after all: counted, and nobody is told twice.
  test.http.Answer(200, Created(1));
  test.http.Answer(200, Items({kBusy}));
  CHECK(test.outcomes.all.size() == 2);
  CHECK(test.metrics.elasticsearch.items_stored.Get() == 1);
  test.TurnAfterMs(60'000);
  CHECK(test.http.sent.empty());
  CHECK(test.store->due_ns() == kNever);
}

TEST_CASE("what passed its deadline in a batch that failed is not sent again") {
  ElasticsearchOptions options;
  options.requests_in_flight_max = 1;
  StoreTest test(options);
  test.Submit(0, 2);
  test.TurnAfterMs(10'000);
  test.SubmitAndFlush(2, 2);
  test.TurnAfterMs(10'000);
  CHECK(test.outcomes.all.size() == 2);
  test.http.Break("timed out");
  test.TurnAfterMs(200);
  REQUIRE(test.http.sent.size() == 1);
  CHECK(test.OriginsIn(0) == std::vector<std::string>{"2", "3"});
}

TEST_CASE("with the breaker open events are answered at once, and one small batch probes") {
  StoreTest test(OneHost());
  test.OpenBreaker(0);
  CHECK(test.http.sent.empty());
  CHECK(test.store->health() == StoreHealth::kFailing);
  test.SubmitAndFlush(10);
  CHECK(test.OutcomeOf(10) == Outcome::kNotNow);
  const std::int64_t open_since_ms = test.now_ms();
  CHECK(test.store->due_ns() == (open_since_ms + 1'000) * kNsPerMs);
  test.TurnWhenDue();
  REQUIRE(test.http.sent.size() == 1);  // of those that wait for a retry
  CHECK(test.http.sent[0].request.timeout_ms == 5'000);
  test.SubmitAndFlush(11);
  CHECK(test.OutcomeOf(11) == Outcome::kNotNow);
  test.http.Break("connection refused");
  CHECK(test.http.sent.empty());
  test.TurnWhenDue();
  CHECK(test.now_ms() == open_since_ms + 2'000);
  REQUIRE(test.http.sent.size() == 1);
  test.http.Answer(200, Created(test.EventsIn(0)));
  CHECK(test.metrics.elasticsearch.breaker_open.Get() == 0);
  // All that waited goes out now.
  for (int i = 0; i < 5 && !test.http.sent.empty(); ++i) {
    test.http.Answer(200, Created(test.EventsIn(0)));
  }
  for (std::uint32_t ticket = 0; ticket < 5; ++ticket) {
    CHECK(test.OutcomeOf(ticket) == Outcome::kStored);
  }
  test.SubmitAndFlush(12);
  test.http.Answer(200, Created(1));
  CHECK(test.OutcomeOf(12) == Outcome::kStored);
}

TEST_CASE("with nothing waiting, the next events are the probe, a few of them") {
  StoreTest test(OneHost());
  test.OpenBreaker(0);
  test.TurnAfterMs(20'000);
  CHECK(test.outcomes.all.size() == 5);
  CHECK(test.store->due_ns() == kNever);
  test.SubmitAndFlush(100, 200);
  REQUIRE(test.http.sent.size() == 1);
  CHECK(test.EventsIn(0) == 64);
  CHECK(test.OutcomeOf(164) == Outcome::kNotNow);
  test.http.Answer(200, Created(64));
  CHECK(test.OutcomeOf(163) == Outcome::kStored);
  CHECK(test.store->health() == StoreHealth::kOk);
}

TEST_CASE("a failed host is left out, and another one serves") {
  ElasticsearchOptions options;
  options.urls = {"http://a:9200", "http://b:9200"};
  StoreTest test(options);
  test.SubmitAndFlush(0);
  CHECK(test.http.sent[0].request.url.substr(0, 13) == "http://a:9200");
  test.http.Break("http://a:9200: connection refused");
  test.TurnWhenDue();
  CHECK(test.http.sent[0].request.url.substr(0, 13) == "http://b:9200");
  test.http.Answer(200, Created(1));
  CHECK(test.OutcomeOf(0) == Outcome::kStored);
  test.SubmitAndFlush(1);
  CHECK(test.http.sent[0].request.url.substr(0, 13) == "http://b:9200");
  test.http.Answer(200, Created(1));
  test.TurnAfterMs(500);
  test.SubmitAndFlush(2);
  CHECK(test.http.sent[0].request.url.substr(0, 13) == "http://a:9200");
  test.http.Answer(200, Created(1));
  CHECK(test.Log().find("http://a:9200 takes events again") != std::string::npos);
}

TEST_CASE("a log line about a failure that goes on comes once a minute") {
  StoreTest test(OneHost());
  for (std::uint32_t second = 0; second < 125; ++second) {
    test.SubmitAndFlush(second);
    while (!test.http.sent.empty()) test.http.Break("http://a:9200: connection refused");
    test.TurnAfterMs(1'000);
  }
  const std::string log = test.Log();
  CHECK(std::count(log.begin(), log.end(), '\n') == 3);
}

}  // namespace collector
