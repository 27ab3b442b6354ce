// The elasticsearch store against an engine and a network that fail in every way, by seed.
//
// Goal: whatever is refused, cut short, answered late, lost or down,
//   1. what was acknowledged is stored, as it was sent; what was refused is not;
//   2. no event is stored twice;
//   3. each event is completed exactly once, and by its deadline;
//   4. limits are never exceeded, and the store never asks for a turn that is past;
//   5. once the engine is well again, an event is answered within 2 s, and everything is stored.
// A failing seed is printed; SEED=n repeats that one alone.
#include <spdlog/logger.h>
#include <spdlog/sinks/null_sink.h>

#include <map>
#include <memory>
#include <set>
#include <sstream>

#include "collector/http/http_client.h"
#include "collector/store/elasticsearch/elasticsearch_store.h"
#include "tests/fakes/events.h"
#include "tests/simulation/seeds.h"
#include "tests/simulation/world.h"
#include "tests/unit/catch.h"

namespace collector {
namespace {

constexpr std::size_t kPendingMax = 200;
constexpr std::int64_t kFaultsEndMs = 40'000;
constexpr std::int64_t kBackWithinMs = 2'000;

// Every seventh event is one that no engine takes, every 50th is too large for this one.
bool IsBad(std::uint64_t number) { return number % 7 == 3; }
bool IsGiant(std::uint64_t number) { return number % 50 == 11; }

// How often what goes wrong.
struct Trouble {
  double unsent = 0;     // the request never arrives
  double lost = 0;       // it does, its answer never
  double hangs = 0;      // until the client gives up, then the engine may still take it
  double mangled = 0;    // an answer that is cut short, too short, too long or no JSON
  double refused = 0;    // 401, 403, 404, 429, 503 for the whole
  double item_busy = 0;  // 429, 503 for an item
  std::int64_t delay_ms_max = 20;
};

Trouble TroubleOf(std::uint64_t seed) {
  constexpr double kRates[] = {0, 0.05, 0.3};
  constexpr std::int64_t kDelayMs[] = {5, 400, 12'000};
  return {.unsent = kRates[seed % 3],
          .lost = kRates[seed / 3 % 3],
          .hangs = kRates[seed / 9 % 3] / 3,
          .mangled = kRates[seed / 2 % 3],
          .refused = kRates[seed / 5 % 3],
          .item_busy = kRates[seed / 7 % 3],
          .delay_ms_max = kDelayMs[seed / 27 % 3]};
}

// The engine, with the network before it. It keeps documents by id and never replaces one.
class Engine : public HttpClient {
 public:
  Engine(World* world, const Trouble& trouble, std::size_t bytes_max)
      : world_(world), trouble_(trouble), bytes_max_(bytes_max) {}

  void Send(HttpRequest request, OnResponse on_response) override {
    const std::uint64_t number = next_++;
    under_way_.emplace(number, Request{std::move(request), std::move(on_response)});
    const std::int64_t delay_ms = world_->Between(1, trouble_.delay_ms_max);
    if (down || world_->Chance(trouble_.unsent)) {
      return world_->After(1, [this, number] { Break(number); });
    }
    if (world_->Chance(trouble_.hangs)) return Hang(number);
    world_->After(delay_ms, [this, number] { Work(number); });
  }

  // From now on everything works, as after a restart: what is under way is reset.
  void Recover() {
    down = false;
    trouble_ = {.delay_ms_max = 20};
    for (const auto& [number, request] : under_way_) {
      world_->After(1, [this, at = number] { Break(at); });
    }
  }

  [[nodiscard]] std::size_t under_way() const { return under_way_.size(); }

  bool down = false;
  std::map<std::string, Json> documents;  // by _id
  std::map<std::uint64_t, int> stored;    // how often each event is, by the number in its origin
  std::size_t requests = 0;
  std::function<void(const std::function<void()>& happens)> turn;  // of the store's loop

 private:
  struct Request {
    HttpRequest request;
    OnResponse on_response;
  };

  void Hang(std::uint64_t number) {
    world_->After(under_way_.at(number).request.timeout_ms, [this, number] {
      if (under_way_.count(number) == 0) return;
      const std::string& body = under_way_.at(number).request.body;
      if (body.size() <= bytes_max_ && world_->Chance(0.5)) Take(body);
      Break(number);
    });
  }

  void Work(std::uint64_t number) {
    if (under_way_.count(number) == 0) return;
    const std::string& body = under_way_.at(number).request.body;
    if (down) return Break(number);
    if (body.size() > bytes_max_) return Answer(number, 413, "");
    if (world_->Chance(trouble_.refused)) {
      constexpr int kStatus[] = {401, 403, 404, 429, 503, 500};
      return Answer(number, kStatus[world_->Between(0, 5)], R"({"error":{"type":"x"}})");
    }
    std::string answer = Take(body);
    if (world_->Chance(trouble_.lost)) return Break(number);
    if (world_->Chance(trouble_.mangled)) answer = Mangle(answer);
    Answer(number, 200, answer);
  }

  std::string Mangle(const std::string& answer) {
    Json json = Json::parse(answer);
    switch (world_->Between(0, 3)) {
      case 0:
        json["items"].erase(json["items"].size() - 1);
        return json.dump();
      case 1:
        json["items"].push_back(json["items"][0]);
        return json.dump();
      case 2:
        return "<html>";
      default:
        return answer.substr(0, static_cast<std::size_t>(world_->Between(
                                    0, static_cast<std::int64_t>(answer.size()) - 1)));
    }
  }

  // Every line pair of a _bulk body, with the engine's answer.
  std::string Take(const std::string& body) {
    ++requests;
    std::istringstream lines(body);
    std::string action;
    std::string document;
    bool errors = false;
    Json items = Json::array();
    while (std::getline(lines, action) && std::getline(lines, document)) {
      const std::string id = Json::parse(action)["create"]["_id"];
      Json item = TakeOne(id, Json::parse(document));
      errors = errors || item.contains("error");
      items.push_back({{"create", std::move(item)}});
    }
    return Json{{"errors", errors}, {"items", std::move(items)}}.dump();
  }

  Json TakeOne(const std::string& id, Json document) {
    const auto error = [](int status, const char* type) {
      return Json{{"status", status}, {"error", {{"type", type}, {"reason", "r"}}}};
    };
    if (world_->Chance(trouble_.item_busy)) {
      return world_->Chance(0.5) ? error(429, "rejected_execution_exception")
                                 : error(503, "unavailable_shards_exception");
    }
    const std::uint64_t number = std::stoull(document["origin"].get<std::string>());
    if (IsBad(number)) return error(400, "mapper_parsing_exception");
    const bool fresh = documents.emplace(id, std::move(document)).second;
    if (!fresh) return error(409, "version_conflict_engine_exception");
    ++stored[number];
    return {{"status", 201}};
  }

  void Answer(std::uint64_t number, int status, std::string body) {
    Respond(number, {.status = status, .error = "", .body = std::move(body), .request_body = ""});
  }
  void Break(std::uint64_t number) {
    Respond(number, {.status = 0, .error = "http://a: broken", .body = "", .request_body = ""});
  }
  void Respond(std::uint64_t number, HttpResponse response) {
    const auto found = under_way_.find(number);
    if (found == under_way_.end()) return;
    Request request = std::move(found->second);
    under_way_.erase(found);
    response.request_body = std::move(request.request.body);
    turn([&] { request.on_response(std::move(response)); });
  }

  World* world_;
  Trouble trouble_;
  std::size_t bytes_max_;
  std::uint64_t next_ = 0;
  std::map<std::uint64_t, Request> under_way_;
};

class Simulation : public CompletionSink {
 public:
  explicit Simulation(std::uint64_t seed)
      : world_(seed, {}),
        options_(OptionsOf(seed)),
        engine_(&world_, TroubleOf(seed), 3'000),
        outages_(seed % 4 == 1),
        store_(options_, seed, &engine_, &metrics_,
               std::make_shared<spdlog::logger>("test",
                                                std::make_shared<spdlog::sinks::null_sink_mt>())) {
    engine_.turn = [this](const std::function<void()>& happens) { Turn(happens); };
    Turn([] {});
    world_.After(1, [this] { Burst(); });
    if (outages_) world_.After(world_.Between(1'000, 10'000), [this] { Outage(); });
    world_.After(kFaultsEndMs, [this] { Recover(); });
  }

  void Run() {
    while (!Done() && world_.Step()) {
      if (world_.now_ms() > 2 * kFaultsEndMs) FAIL("it never ends");
      if (engine_.under_way() > static_cast<std::size_t>(options_.requests_in_flight_max)) {
        FAIL("too many requests at once");
      }
      if (recovered_ms_ > 0 && first_answer_ms_ == 0 &&
          world_.now_ms() > recovered_ms_ + kBackWithinMs) {
        FAIL("the engine is back, and no event was answered in time");
      }
    }
    CHECK(Done());
    CHECK(submitted_ > 100);
    CHECK(engine_.requests > 10);
    CheckStored();
  }

  void OnComplete(std::uint32_t ticket, Outcome outcome, std::string_view) override {
    const auto found = pending_.find(ticket);
    CHECK(found != pending_.end());  // once
    const auto [number, submitted_ms] = found->second;
    pending_.erase(found);
    CHECK(world_.now_ms() <= submitted_ms + options_.event_deadline_ms);
    switch (outcome) {
      case Outcome::kStored:
      case Outcome::kDuplicate:
        CHECK(engine_.stored.count(number) == 1);
        CHECK_FALSE(IsBad(number));
        acknowledged_.insert(number);
        if (recovered_ms_ > 0 && first_answer_ms_ == 0) first_answer_ms_ = world_.now_ms();
        break;
      case Outcome::kRefused:
        CHECK((IsBad(number) || IsGiant(number)));
        CHECK(engine_.stored.count(number) == 0);
        refused_.insert(number);
        break;
      case Outcome::kNotNow:  // the device sends it again
        later_.push_back(number);
        break;
    }
  }

 private:
  static ElasticsearchOptions OptionsOf(std::uint64_t seed) {
    ElasticsearchOptions options;
    options.urls = {"http://a"};
    if (seed % 2 == 1) options.urls.push_back("http://b");
    options.batch_events_max = seed % 5 == 0 ? 3 : 40;
    options.batch_bytes_max = seed % 3 == 0 ? 1'000 : 8'000;
    options.requests_in_flight_max = static_cast<int>(seed % 3) + 1;
    return options;
  }

  // One turn of the loop; then the store is woken when it asked for it.
  void Turn(const std::function<void()>& happens) {
    store_.Tick({world_.now_ms() * kNsPerMs, world_.now_ms() * kNsPerMs});
    happens();
    store_.Flush();
    if (store_.due_ns() <= world_.now_ms() * kNsPerMs) FAIL("the loop would spin");
    if (store_.due_ns() == kNever) return;
    const std::int64_t due_ms = (store_.due_ns() + kNsPerMs - 1) / kNsPerMs;
    if (due_ms >= wake_ms_ && wake_ms_ > world_.now_ms()) return;
    wake_ms_ = due_ms;
    world_.After(due_ms - world_.now_ms(), [this] { Turn([] {}); });
  }

  void SubmitOne(std::uint64_t number) {
    if (pending_.size() == kPendingMax) return later_.push_back(number);
    sent_.insert(number);
    const std::uint32_t ticket = ++submitted_;
    pending_.emplace(ticket, std::pair{number, world_.now_ms()});
    const TestEvent event(number, IsGiant(number) ? Json(std::string(4'000, 'x')) : Json(number));
    store_.Submit(event.stored(), Completion(this, ticket));
  }

  void Burst() {
    Turn([this] {
      for (auto count = world_.Between(0, 30); count > 0; --count) {
        const bool again = !later_.empty() && world_.Chance(0.5);
        SubmitOne(again ? TakeLater() : next_number_++);
        if (world_.Chance(0.02)) SubmitOne(next_number_ - 1);  // a device that is impatient
      }
    });
    if (recovered_ms_ > 0) return;
    world_.After(world_.Between(1, world_.Chance(0.1) ? 5'000 : 500), [this] { Burst(); });
  }

  void Outage() {
    if (recovered_ms_ > 0) return;
    engine_.down = !engine_.down;
    world_.After(world_.Between(1'000, 40'000), [this] { Outage(); });
  }

  void Recover() {
    engine_.Recover();
    recovered_ms_ = world_.now_ms();
    Again();
  }

  // Every device that was not answered sends its event again.
  void Again() {
    Turn([this] {
      while (!IsFresh(next_number_)) ++next_number_;
      SubmitOne(next_number_++);
      for (std::size_t count = later_.size(); count > 0 && pending_.size() < kPendingMax; --count) {
        SubmitOne(TakeLater());
      }
    });
    if (!Done()) world_.After(100, [this] { Again(); });
  }

  static bool IsFresh(std::uint64_t number) { return !IsBad(number) && !IsGiant(number); }

  std::uint64_t TakeLater() {
    const std::uint64_t number = later_.front();
    later_.erase(later_.begin());
    return number;
  }

  [[nodiscard]] bool Done() const {
    return recovered_ms_ > 0 && first_answer_ms_ > 0 && pending_.empty() && later_.empty() &&
           engine_.under_way() == 0;
  }

  void CheckStored() {
    for (const auto& [number, count] : engine_.stored) CHECK(count == 1);
    for (const std::uint64_t number : sent_) {
      if (IsBad(number) || IsGiant(number)) {
        CHECK(refused_.count(number) == 1);
        CHECK(acknowledged_.count(number) == 0);
      } else {
        CHECK(acknowledged_.count(number) == 1);
      }
    }
    for (const auto& [id, document] : engine_.documents) {
      const std::uint64_t number = std::stoull(document["origin"].get<std::string>());
      CHECK(document["payload"]["value"] == number);
      CHECK(document["value"]["number"] == number);
    }
  }

  World world_;
  ElasticsearchOptions options_;
  Metrics metrics_;
  Engine engine_;
  bool outages_;
  ElasticsearchStore store_;

  std::map<std::uint32_t, std::pair<std::uint64_t, std::int64_t>> pending_;  // by ticket
  std::vector<std::uint64_t> later_;
  std::set<std::uint64_t> sent_;
  std::set<std::uint64_t> acknowledged_;
  std::set<std::uint64_t> refused_;
  std::uint32_t submitted_ = 0;
  std::uint64_t next_number_ = 0;
  std::int64_t wake_ms_ = 0;
  std::int64_t recovered_ms_ = 0;
  std::int64_t first_answer_ms_ = 0;
};

}  // namespace

TEST_CASE("an engine that fails in every way loses nothing that was acknowledged") {
  const Seeds seeds = SeedsToRun();
  for (std::uint64_t seed = seeds.first; seed < seeds.end; ++seed) {
    INFO("repeat with SEED=" << seed << " simulation_tests");
    Simulation simulation(seed);
    simulation.Run();
  }
}

}  // namespace collector
