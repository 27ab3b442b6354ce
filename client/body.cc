#include "client/body.h"

#include <cmath>
#include <utility>
#include <vector>

#include "event/event_json.h"

namespace collector::client {
namespace {

constexpr double kAbsoluteTimeMin =
    268'435'456;  // earlier SenML times are relative (RFC 8428 4.5.3)

// A SenML field, and its label in CBOR (RFC 8428 section 6).
struct Field {
  const char* name;
  std::int8_t label;
};
constexpr Field kName{"n", 0};
constexpr Field kUnit{"u", 1};
constexpr Field kValue{"v", 2};
constexpr Field kTextValue{"vs", 3};
constexpr Field kBoolValue{"vb", 4};
constexpr Field kTime{"t", 6};

using Record = std::vector<std::pair<Field, Json>>;

Error CannotSay(const std::string& what) {
  return {ErrorCode::kInvalid, "SenML cannot say " + what};
}

Result<Record> RecordOf(const Event& event) {
  Record record;
  if (event.type.find('/') != std::string::npos) return CannotSay("a type with a '/' in it");
  if (!event.client_id.empty()) return CannotSay("an event's id");
  record.emplace_back(kName, event.origin + "/" + event.type);
  if (!event.extra.is_null()) {
    for (const auto& [name, value] : event.extra.items()) {
      if (name != "unit" || !value.is_string()) return CannotSay("the payload's '" + name + "'");
      record.emplace_back(kUnit, value);
    }
  }
  if (event.timestamp_ns.has_value()) {
    const double seconds = std::round(static_cast<double>(*event.timestamp_ns) / 1e3) / 1e6;
    if (seconds < kAbsoluteTimeMin) return CannotSay("a time before July 1978");
    record.emplace_back(kTime, seconds);
  }
  if (event.value.is_number()) {
    record.emplace_back(kValue, event.value);
  } else if (event.value.is_boolean()) {
    record.emplace_back(kBoolValue, event.value);
  } else if (event.value.is_string()) {
    record.emplace_back(kTextValue, event.value);
  } else {
    return CannotSay("an array or an object");
  }
  return record;
}

std::string JsonOf(const Record& record) {
  std::string out = "[{";
  for (const auto& [field, value] : record) {
    if (out.size() > 2) out += ",";
    out.append(1, '"').append(field.name).append("\":");
    AppendJson(value, &out);
  }
  return out + "}]";
}

// An array of one map, whose keys are small integers: what Json's maps cannot have.
std::string CborOf(const Record& record) {
  std::string out{static_cast<char>(0x81), static_cast<char>(0xa0 + record.size())};
  for (const auto& [field, value] : record) {
    out.push_back(static_cast<char>(field.label));
    Json::to_cbor(value, out);
  }
  return out;
}

}  // namespace

const char* MediaTypeOf(BodyFormat format) {
  switch (format) {
    case BodyFormat::kJson:
      return "application/json";
    case BodyFormat::kCbor:
      return "application/cbor";
    case BodyFormat::kSenmlJson:
      return "application/senml+json";
    case BodyFormat::kSenmlCbor:
      return "application/senml+cbor";
  }
  return "";
}

bool IsSenml(BodyFormat format) {
  return format == BodyFormat::kSenmlJson || format == BodyFormat::kSenmlCbor;
}

Result<std::string> EncodeBody(const Event& event, BodyFormat format) {
  std::string json = EncodeEventJson(event);
  if (format == BodyFormat::kJson) return json;
  if (format == BodyFormat::kCbor) {
    std::string out;
    Json::to_cbor(Json::parse(json), out);
    return out;
  }
  auto record = RecordOf(event);
  if (!record.ok()) return record.error();
  return format == BodyFormat::kSenmlJson ? JsonOf(record.value()) : CborOf(record.value());
}

}  // namespace collector::client
