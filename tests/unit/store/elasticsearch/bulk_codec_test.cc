#include "collector/store/elasticsearch/bulk_codec.h"

#include "tests/fakes/events.h"
#include "tests/unit/catch.h"

namespace collector {
namespace {

Json DocumentOf(const Json& value) {
  std::string lines;
  AppendCreate(TestEvent(1, value).stored(), &lines);
  return Json::parse(lines.substr(lines.find('\n') + 1));
}

Json ValueOf(const Json& value) { return DocumentOf(value)["value"]; }

// Answers as OpenSearch 2.19 and Elasticsearch 8.19 give them under the store's filter_path.
constexpr std::string_view kAllCreated =
    R"({"errors":false,"items":[{"create":{"status":201}},{"create":{"status":201}}]})";
constexpr std::string_view kMixedOpenSearch =
    R"({"errors":true,"items":[{"create":{"status":201}},)"
    R"({"create":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":)"
    R"-("[AAAA]: version conflict, document already exists (current version [1])"}}},)-"
    R"({"create":{"status":400,"error":{"type":"mapper_parsing_exception","reason":)"
    R"("failed to parse field [value.number] of type [double] in document with id 'AAAB'"}}},)"
    R"({"create":{"status":429,"error":{"type":"rejected_execution_exception","reason":)"
    R"("rejected execution of primary operation"}}}]})";
constexpr std::string_view kMixedElasticsearch =
    R"({"errors":true,"items":[{"create":{"status":400,"error":{"type":)"
    R"("document_parsing_exception","reason":"[1:93] failed to parse field [value.location]"}}},)"
    R"({"create":{"status":201,"failure_store":"used"}},)"
    R"({"create":{"status":503,"error":{"type":"unavailable_shards_exception","reason":)"
    R"("[.ds-metrics-coap.events-default-2026.11.21-000001][0] primary shard is not active"}}}]})";

}  // namespace

TEST_CASE("an event is an action and a document, a line each") {
  TestEvent event(0x0102);
  event.id = {0x01, 0x6a, 0x3b, 0xff, 0xee, 0xdd, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0xfb};
  std::string lines = "before";
  AppendCreate(event.stored(), &lines);
  CHECK(lines ==
        "before"
        R"({"create":{"_id":"AWo7_-7dAAECAwQFBgcI-w"}})"
        "\n"
        R"({"@timestamp":"2018-06-01T14:08:24.772Z","namespace":"n","sender":"s","origin":"258",)"
        R"("payload":{"type":"t","value":1},"value":{"number":1},)"
        R"("event":{"ingested":"2018-06-01T14:08:25.001Z"}})"
        "\n");
}

TEST_CASE("texts are escaped and keep within their line") {
  TestEvent event(1, "line\nbreak \"quoted\" \\ \x01 Grüße");
  event.event.sender = "a\"b";
  std::string lines;
  AppendCreate(event.stored(), &lines);
  CHECK(std::count(lines.begin(), lines.end(), '\n') == 2);
  const Json document = Json::parse(lines.substr(lines.find('\n') + 1));
  CHECK(document["sender"] == "a\"b");
  CHECK(document["value"]["string"] == event.event.value);
}

TEST_CASE("the value goes by its type") {
  CHECK(ValueOf(-3) == Json{{"number", -3}});
  CHECK(ValueOf(16.5) == Json{{"number", 16.5}});
  CHECK(ValueOf(18'446'744'073'709'551'615u) == Json{{"number", 18'446'744'073'709'551'615u}});
  CHECK(ValueOf("on") == Json{{"string", "on"}});
  CHECK(ValueOf(false) == Json{{"boolean", false}});
  CHECK(ValueOf({{"a", {1, 2}}}) == Json{{"object", {{"a", {1, 2}}}}});
  CHECK(ValueOf(Json::array({1, "x"})) == Json{{"object", {{"value", {1, "x"}}}}});
  CHECK(ValueOf(Json::object()) == Json{{"object", Json::object()}});
  CHECK(DocumentOf(Json::array({1}))["payload"]["value"] == Json::array({1}));
}

TEST_CASE("a location is lat and lon in range and nothing else") {
  CHECK(ValueOf({{"lat", 48.2}, {"lon", 16.37}}) ==
        Json{{"location", {{"lat", 48.2}, {"lon", 16.37}}}});
  CHECK(ValueOf({{"lat", -90}, {"lon", 180}}).contains("location"));
  for (const Json& other : {Json{{"lat", 90.1}, {"lon", 0}}, Json{{"lat", 0}, {"lon", -180.5}},
                            Json{{"lat", "48"}, {"lon", 16}}, Json{{"lat", 1}},
                            Json{{"lat", 1}, {"lon", 2}, {"altitude", 3}}}) {
    CHECK(ValueOf(other).contains("object"));
  }
}

TEST_CASE("ids of later events sort behind as the engine keeps them") {
  // In a base64 alphabet they do not; as the bytes it stands for, they do. 22 characters end in one
  // of four, or an engine would keep the text instead.
  for (std::uint64_t number = 0; number < 300; ++number) {
    std::string lines;
    AppendCreate(TestEvent(number).stored(), &lines);
    const std::string id = lines.substr(18, 22);
    CHECK(lines.substr(40, 3) == "\"}}");
    CHECK(std::string("AQgw").find(id.back()) != std::string::npos);
  }
}

TEST_CASE("answers are read by position") {
  BulkAnswerReader reader;
  std::vector<ItemResult> items;
  REQUIRE(reader.Read(kAllCreated, 2, &items));
  CHECK(items[0].status == 201);
  CHECK(items[1].status == 201);

  REQUIRE(reader.Read(kMixedOpenSearch, 4, &items));
  CHECK(items[0].status == 201);
  CHECK(items[0].error_type.empty());
  CHECK(items[1].status == 409);
  CHECK(items[1].error_type == "version_conflict_engine_exception");
  CHECK(items[2].status == 400);
  CHECK(items[2].error_type == "mapper_parsing_exception");
  CHECK(items[2].error_reason.substr(0, 21) == "failed to parse field");
  CHECK(items[3].status == 429);

  REQUIRE(reader.Read(kMixedElasticsearch, 3, &items));
  CHECK(items[0].status == 400);
  CHECK_FALSE(items[0].failure_store);
  CHECK(items[1].failure_store);
  CHECK(items[2].error_type == "unavailable_shards_exception");
}

TEST_CASE("an answer without a filter is read, too") {
  BulkAnswerReader reader;
  std::vector<ItemResult> items;
  REQUIRE(reader.Read(
      R"({"took":7,"errors":false,"items":[{"create":{"_index":".ds-x-000001","_id":"AA",)"
      R"("_version":1,"result":"created","_shards":{"total":2,"successful":1,"failed":0},)"
      R"("_seq_no":0,"_primary_term":1,"failure_store":"not_applicable_or_unknown",)"
      R"("status":201}}]})",
      1, &items));
  CHECK(items[0].status == 201);
  CHECK_FALSE(items[0].failure_store);
}

TEST_CASE("of an answer that is not whole nothing is believed") {
  BulkAnswerReader reader;
  std::vector<ItemResult> items;
  for (std::size_t bytes = 0; bytes < kAllCreated.size(); ++bytes) {
    CHECK_FALSE(reader.Read(kAllCreated.substr(0, bytes), 2, &items));
  }
  CHECK_FALSE(reader.Read(kAllCreated, 1, &items));
  CHECK_FALSE(reader.Read(kAllCreated, 3, &items));
  for (const std::string_view body :
       {"<html>502 Bad Gateway</html>", "{}", R"({"errors":false})", R"({"items":{}})",
        R"({"items":[{}]})", R"({"items":[{"create":{}}]})", R"({"items":[{"create":201}]})",
        R"({"items":[{"create":{"status":"201"}}]})", R"({"items":[{"create":{"status":0}}]})",
        R"({"items":[{"create":{"status":99999999999}}]})", R"({"items":[201]})", "[]", "null"}) {
    INFO(body);
    CHECK_FALSE(reader.Read(body, 1, &items));
  }
}

}  // namespace collector
