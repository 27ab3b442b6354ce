#include "client/stored/elasticsearch_events.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <thread>
#include <utility>

#include "client/http.h"
#include "collector/base/nanoseconds.h"
#include "event/timestamp.h"

namespace collector::client {
namespace {

constexpr int kEventsAtOnce = 1'000;
constexpr std::int64_t kLateMs = 5'000;
constexpr std::size_t kAnswerBytesMax = 64 << 20;
constexpr std::chrono::seconds kTimeout{30};
constexpr std::chrono::seconds kRefresh{2};  // the engines' own interval is 1 s
constexpr const char* kScroll = "2m";        // between two pages

constexpr const char* kIngested = "event.ingested";

std::string TextAt(const Json& object, const char* member) {
  const auto found = object.find(member);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// False: a document that no collector wrote.
bool ReadDocument(const Json& source, StoredEvent* stored) {
  if (!source.is_object()) return false;
  Event& event = stored->event;
  event.name_space = TextAt(source, "namespace");
  event.sender = TextAt(source, "sender");
  event.origin = TextAt(source, "origin");
  event.timestamp_ns = ParseTimestamp(TextAt(source, "@timestamp"));
  const auto ingested = source.find("event");
  if (ingested != source.end() && ingested->is_object()) {
    stored->received_ns = ParseTimestamp(TextAt(*ingested, "ingested")).value_or(0);
  }
  return event.timestamp_ns.has_value() && SetPayload(source.value("payload", Json()), &event);
}

Json FilterQuery(const EventFilter& filter, const Json& range) {
  Json must = Json::array({{{"range", range}}});
  for (const auto& [field, wanted] : {std::pair{"namespace", &filter.name_space},
                                      {"sender", &filter.sender},
                                      {"origin", &filter.origin},
                                      {"payload.type", &filter.type}}) {
    if (wanted->has_value()) must.push_back({{"term", {{field, **wanted}}}});
  }
  return {{"bool", {{"filter", std::move(must)}}}};
}

class ElasticsearchEvents : public StoredEvents {
 public:
  explicit ElasticsearchEvents(ElasticsearchEventsOptions options) : options_(std::move(options)) {}

  Status Open() {
    const Json query = {{"size", 1},
                        {"sort", {{{kIngested, {{"order", "desc"}, {"unmapped_type", "date"}}}}}},
                        {"_source", false},
                        {"query", {{"match_all", Json::object()}}}};
    auto answer = Search("/" + options_.stream + "/_search", query);
    if (!answer.ok()) return answer.error();
    const Json& hits = answer.value()["hits"]["hits"];
    if (!hits.empty()) begin_ms_ = hits[0]["sort"][0].get<std::int64_t>();
    newest_ms_ = begin_ms_;
    return Ok{};
  }

  Status ReadSpan(const EventFilter& filter, std::int64_t from_ns, std::int64_t to_ns,
                  const Take& take) override;
  Result<bool> ReadNew(const EventFilter& filter, const Take& take) override;
  [[nodiscard]] std::string name() const override { return options_.url + "/" + options_.stream; }

 private:
  Result<HttpResponse> Send(const std::string& method, const std::string& path, const Json& body);
  // The answer to a search of which every part succeeded.
  Result<Json> Search(const std::string& path, const Json& body);
  [[nodiscard]] Error Failed(const std::string& why) const {
    return {ErrorCode::kUnavailable, "cannot read the events in " + name() + ": " + why};
  }
  void Refresh();
  bool IsNew(const std::string& id, std::int64_t ingested_ms);

  const ElasticsearchEventsOptions options_;
  std::int64_t begin_ms_ = 0;                 // older events are not new
  std::int64_t newest_ms_ = 0;                // of what ReadNew has seen
  Json after_;                                // where the round goes on; null: a new one begins
  std::map<std::size_t, std::int64_t> seen_;  // hashes of ids in the last kLateMs: their time
};

Result<HttpResponse> ElasticsearchEvents::Send(const std::string& method, const std::string& path,
                                               const Json& body) {
  auto response = Ask({.method = method,
                       .url = options_.url + path,
                       .body = body.is_null() ? "" : body.dump(),
                       .authorization = options_.authorization,
                       .ca_file = options_.ca_file,
                       .timeout = kTimeout,
                       .answer_bytes_max = kAnswerBytesMax});
  if (!response.ok()) return Failed(response.error().message);
  return response;
}

Result<Json> ElasticsearchEvents::Search(const std::string& path, const Json& body) {
  auto response = Send("POST", path, body);
  if (!response.ok()) return response.error();
  if (response.value().status == 401) return Failed("the user, password or key is wrong (401)");
  if (response.value().status == 403) return Failed("the privilege 'read' is missing (403)");
  if (response.value().status == 404) return Failed("there is no such stream (404)");
  if (response.value().status != 200) {
    return Failed("HTTP status " + std::to_string(response.value().status));
  }
  Json answer = Json::parse(response.value().body, nullptr, false);
  const Json none;
  const auto at = [&none](const Json& in, const char* member) -> const Json& {
    const auto found = in.is_object() ? in.find(member) : in.end();
    return in.is_object() && found != in.end() ? *found : none;
  };
  if (!at(at(answer, "hits"), "hits").is_array()) return Failed("this is no engine's answer");
  if (at(at(answer, "_shards"), "failed") != 0 || at(answer, "timed_out") != false) {
    return Failed("some of its shards did not answer");
  }
  return answer;
}

// Who may read need not be allowed to refresh; an engine does it by itself every second.
void ElasticsearchEvents::Refresh() {
  const auto done = Send("POST", "/" + options_.stream + "/_refresh", nullptr);
  if (!done.ok() || done.value().status != 200) std::this_thread::sleep_for(kRefresh);
}

// By a scroll, which sees one moment of the stream.
Status ElasticsearchEvents::ReadSpan(const EventFilter& filter, std::int64_t from_ns,
                                     std::int64_t to_ns, const Take& take) {
  Refresh();
  const Json range = {
      {"@timestamp",
       {{"gte", from_ns / kNsPerMs}, {"lte", to_ns / kNsPerMs + 1}, {"format", "epoch_millis"}}}};
  const Json query = {
      {"size", kEventsAtOnce * 5}, {"sort", {"_doc"}}, {"query", FilterQuery(filter, range)}};
  auto page = Search("/" + options_.stream + "/_search?scroll=" + kScroll, query);
  std::string scroll;
  while (page.ok() && !page.value()["hits"]["hits"].empty()) {
    for (const Json& hit : page.value()["hits"]["hits"]) {
      StoredEvent stored;
      if (!ReadDocument(hit.value("_source", Json()), &stored)) continue;
      const std::int64_t time_ns = *stored.event.timestamp_ns;
      if (time_ns >= from_ns && time_ns <= to_ns) take(std::move(stored));
    }
    scroll = TextAt(page.value(), "_scroll_id");
    page = Search("/_search/scroll", {{"scroll", kScroll}, {"scroll_id", scroll}});
  }
  if (!scroll.empty()) {
    // Else the engine forgets it by itself.
    static_cast<void>(Send("DELETE", "/_search/scroll", {{"scroll_id", scroll}}).ok());
  }
  if (!page.ok()) return page.error();
  return Ok{};
}

bool ElasticsearchEvents::IsNew(const std::string& id, std::int64_t ingested_ms) {
  newest_ms_ = std::max(newest_ms_, ingested_ms);
  return seen_.emplace(std::hash<std::string>()(id), ingested_ms).second;
}

// Documents become visible in another order than they arrived, so each round begins a few seconds
// before the newest one that was seen.
Result<bool> ElasticsearchEvents::ReadNew(const EventFilter& filter, const Take& take) {
  const std::int64_t from_ms = std::max(newest_ms_ - kLateMs, begin_ms_ + 1);
  if (after_.is_null()) {
    std::erase_if(seen_, [from_ms](const auto& entry) { return entry.second < from_ms; });
  }
  Json query = {
      {"size", kEventsAtOnce},
      {"sort", {{{kIngested, "asc"}}, {{"@timestamp", "asc"}}}},
      {"query",
       FilterQuery(filter, {{kIngested, {{"gte", from_ms}, {"format", "epoch_millis"}}}})}};
  if (!after_.is_null()) query["search_after"] = after_;
  auto answer = Search("/" + options_.stream + "/_search", query);
  if (!answer.ok()) return answer.error();
  const Json& hits = answer.value()["hits"]["hits"];
  for (const Json& hit : hits) {
    StoredEvent stored;
    if (!ReadDocument(hit.value("_source", Json()), &stored)) continue;
    if (IsNew(TextAt(hit, "_id"), stored.received_ns / kNsPerMs)) take(std::move(stored));
  }
  const bool full = hits.size() == static_cast<std::size_t>(kEventsAtOnce);
  after_ = full ? hits.back().value("sort", Json()) : Json();
  return full;
}

}  // namespace

Result<std::unique_ptr<StoredEvents>> OpenElasticsearchEvents(ElasticsearchEventsOptions options) {
  auto events = std::make_unique<ElasticsearchEvents>(std::move(options));
  if (Status opened = events->Open(); !opened.ok()) return opened.error();
  return std::unique_ptr<StoredEvents>(std::move(events));
}

}  // namespace collector::client
