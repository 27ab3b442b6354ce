#include "collector/store/elasticsearch/bulk_codec.h"

#include <simdjson.h>

#include <array>

#include "collector/base/clock.h"
#include "event/event_json.h"
#include "event/timestamp.h"

namespace collector {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::string_view kBase64Url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void AppendId(const EventId& id, std::string* out) {
  std::array<char, 22> text{};
  char* to = text.data();
  unsigned bits = 0;  // the lowest `count` of them are still to be written
  int count = 0;
  for (const std::uint8_t byte : id) {
    bits = bits << 8 | byte;
    for (count += 8; count >= 6;) {
      count -= 6;
      *to++ = kBase64Url[bits >> count & 63];
    }
  }
  *to++ = kBase64Url[bits << (6 - count) & 63];
  out->append(text.data(), to);
}

bool IsWithin(const Json& number, double limit) {
  return number.is_number() && number.get<double>() >= -limit && number.get<double>() <= limit;
}

// A geo_point that no engine refuses: lat and lon in degrees, and nothing else.
bool IsLocation(const Json& value) {
  if (!value.is_object() || value.size() != 2) return false;
  const auto lat = value.find("lat");
  const auto lon = value.find("lon");
  return lat != value.end() && lon != value.end() && IsWithin(*lat, 90) && IsWithin(*lon, 180);
}

// The value by its own type of JSON, so that the first device to write does not decide for all. An
// array goes as {"value":[...]}, because flattened and flat_object take objects only.
void AppendTypedValue(const Json& value, std::string* out) {
  switch (value.type()) {
    case Json::value_t::number_float:
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
      out->append(R"("number":)");
      return AppendJson(value, out);
    case Json::value_t::string:
      out->append(R"("string":)");
      return AppendJson(value, out);
    case Json::value_t::boolean:
      out->append(R"("boolean":)");
      return AppendJson(value, out);
    case Json::value_t::array:
      out->append(R"("object":{"value":)");
      AppendJson(value, out);
      out->append(1, '}');
      return;
    default:
      out->append(IsLocation(value) ? R"("location":)" : R"("object":)");
      AppendJson(value, out);
  }
}

bool ReadItem(const element& item, ItemResult* result) {
  object operation;  // {"create":{...}}
  if (item.get(operation) != simdjson::SUCCESS || operation.size() != 1) return false;
  object members;
  if ((*operation.begin()).value.get(members) != simdjson::SUCCESS) return false;
  std::int64_t status = 0;
  for (const auto& [key, value] : members) {
    if (key == "status") {
      if (value.get(status) != simdjson::SUCCESS || status < 100 || status > 599) return false;
    } else if (key == "error") {
      std::string_view text;
      if (value["type"].get(text) == simdjson::SUCCESS) result->error_type = text;
      if (value["reason"].get(text) == simdjson::SUCCESS) result->error_reason = text;
    } else if (key == "failure_store") {
      std::string_view text;
      result->failure_store = value.get(text) == simdjson::SUCCESS && text == "used";
    }
  }
  result->status = static_cast<int>(status);
  return status != 0;
}

}  // namespace

void AppendCreate(const StoreEvent& stored, std::string* out) {
  const Event& event = stored.event;
  out->append(R"({"create":{"_id":")");
  AppendId(stored.id, out);
  out->append("\"}}\n{\"@timestamp\":\"");
  AppendTimestamp(stored.timestamp_ns, out);
  out->append(R"(","namespace":)");
  AppendJsonText(event.name_space, out);
  out->append(R"(,"sender":)");
  AppendJsonText(event.sender, out);
  out->append(R"(,"origin":)");
  AppendJsonText(event.origin, out);
  out->append(R"(,"payload":)").append(stored.payload_json).append(R"(,"value":{)");
  AppendTypedValue(event.value, out);
  out->append(R"(},"event":{"ingested":")");
  AppendTimestamp(stored.received_ns / kNsPerMs * kNsPerMs, out);  // what type date resolves
  out->append("\"}}\n");
}

BulkAnswerReader::BulkAnswerReader() : parser_(std::make_unique<simdjson::dom::parser>()) {}
BulkAnswerReader::~BulkAnswerReader() = default;

bool BulkAnswerReader::Read(std::string_view body, std::size_t items_sent,
                            std::vector<ItemResult>* items) {
  items->clear();
  array answers;
  if (parser_->parse(body.data(), body.size())["items"].get(answers) != simdjson::SUCCESS) {
    return false;
  }
  items->reserve(items_sent);
  for (const element answer : answers) {
    if (items->size() == items_sent || !ReadItem(answer, &items->emplace_back())) return false;
  }
  return items->size() == items_sent;
}

}  // namespace collector
