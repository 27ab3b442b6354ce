#include "event/event_json.h"

#include <simdjson.h>

#include <array>
#include <charconv>
#include <cstdint>

#include "event/timestamp.h"

namespace collector {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;
using simdjson::dom::object;

constexpr std::size_t kDiagnosticBytesMax = 64;

// The members of an event, as bits so that a second one of the same name is seen.
enum Field : unsigned {
  kNone = 0,
  kNamespace = 1u << 0,
  kSender = 1u << 1,
  kOrigin = 1u << 2,
  kPayload = 1u << 3,
  kTimestamp = 1u << 4,
  kId = 1u << 5,
  kType = 1u << 6,   // payload.type
  kValue = 1u << 7,  // payload.value
};

struct NamedField {
  std::string_view key;
  Field field;
  std::string_view path;  // as a diagnostic names it
};
constexpr std::array kTopFields{
    NamedField{"namespace", kNamespace, "namespace"}, NamedField{"sender", kSender, "sender"},
    NamedField{"origin", kOrigin, "origin"},          NamedField{"payload", kPayload, "payload"},
    NamedField{"timestamp", kTimestamp, "timestamp"}, NamedField{"id", kId, "id"}};
constexpr std::array kPayloadFields{NamedField{"type", kType, "payload.type"},
                                    NamedField{"value", kValue, "payload.value"}};
constexpr NamedField kUnknown{"", kNone, "payload"};

// Members mostly come in the order of the table: the search begins at *next, behind the last one.
template <typename Fields>
const NamedField& Find(const Fields& fields, std::string_view key, std::size_t* next) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const std::size_t at = (*next + i) % fields.size();
    if (fields[at].key != key) continue;
    *next = at + 1;
    return fields[at];
  }
  return kUnknown;
}

// What is wrong with a text that is not JSON, in few words.
std::string_view Explain(simdjson::error_code error) {
  switch (error) {
    case simdjson::NUMBER_ERROR:
    case simdjson::NUMBER_OUT_OF_RANGE:
      return "not a number, or out of range";
    case simdjson::UTF8_ERROR:
      return "not UTF-8";
    case simdjson::STRING_ERROR:
    case simdjson::UNESCAPED_CHARS:
      return "control character or bad escape in a string";
    case simdjson::UNCLOSED_STRING:
      return "a string does not end";
    case simdjson::DEPTH_ERROR:
      return "nested too deep";
    default:
      return "commas, colons, braces or quotes are wrong";
  }
}

// Copies a parsed event into an Event, checking each member.
class EventReader {
 public:
  EventReader(Event* event, std::string* diagnostic) : event_(event), diagnostic_(diagnostic) {}

  bool Read(const element& root) {
    object members;
    if (root.get(members) != simdjson::SUCCESS) return Fail("event", "is not an object");
    std::size_t next = 0;
    for (const auto& [key, value] : members) {
      const NamedField& known = Find(kTopFields, key, &next);
      if (known.field == kNone) return Unknown(key);
      if (!See(known) || !ReadMember(known, value)) return false;
    }
    return Complete();
  }

  bool NotJson(simdjson::error_code error) { return Fail("not JSON:", Explain(error)); }

 private:
  bool Fail(std::string_view what, std::string_view why) {
    diagnostic_->assign(what).append(" ").append(why);
    if (diagnostic_->size() > kDiagnosticBytesMax) diagnostic_->resize(kDiagnosticBytesMax);
    return false;
  }

  // A key is the sender's own bytes: only what prints plainly is given back.
  bool Unknown(std::string_view key) {
    std::string shown;
    for (const char c : key.substr(0, 32)) shown.push_back(c > ' ' && c < 0x7f ? c : '?');
    return Fail(shown, "is no member of an event");
  }

  bool See(const NamedField& known) {
    if ((seen_ & known.field) != 0) return Fail(known.path, "is there twice");
    seen_ |= known.field;
    return true;
  }

  bool Complete() {
    for (const auto& known : kTopFields) {
      const bool optional = known.field == kTimestamp || known.field == kId;
      if (!optional && (seen_ & known.field) == 0) return Fail(known.path, "is missing");
    }
    for (const auto& known : kPayloadFields) {
      if ((seen_ & known.field) == 0) return Fail(known.path, "is missing");
    }
    return true;
  }

  bool ReadMember(const NamedField& known, const element& value) {
    switch (known.field) {
      case kNamespace:
        return ReadName(known, value, &event_->name_space);
      case kSender:
        return ReadName(known, value, &event_->sender);
      case kOrigin:
        return ReadName(known, value, &event_->origin);
      case kTimestamp:
        return ReadTimestamp(known, value);
      case kId:
        return ReadId(known, value);
      default:
        return ReadPayload(value);
    }
  }

  bool ReadText(const NamedField& known, const element& value, std::string_view* text) {
    return value.get(*text) == simdjson::SUCCESS || Fail(known.path, "is not a string");
  }

  bool ReadName(const NamedField& known, const element& value, std::string* name) {
    std::string_view text;
    if (!ReadText(known, value, &text)) return false;
    if (text.empty()) return Fail(known.path, "is empty");
    if (text.size() > kNameBytesMax) return Fail(known.path, "is longer than 256 bytes");
    for (const char c : text) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
        return Fail(known.path, "has a control character");
      }
    }
    name->assign(text);
    return true;
  }

  bool ReadTimestamp(const NamedField& known, const element& value) {
    std::string_view text;
    if (!ReadText(known, value, &text)) return false;
    event_->timestamp_ns = ParseTimestamp(text);
    return event_->timestamp_ns.has_value() || Fail(known.path, "is not RFC 3339, 1970 to 2261");
  }

  bool ReadId(const NamedField& known, const element& value) {
    std::string_view text;
    if (!ReadText(known, value, &text)) return false;
    if (text.empty()) return Fail(known.path, "is empty");
    if (text.size() > kClientIdBytesMax) return Fail(known.path, "is longer than 64 bytes");
    event_->client_id.assign(text);
    return true;
  }

  bool ReadPayload(const element& payload) {
    object members;
    if (payload.get(members) != simdjson::SUCCESS) return Fail("payload", "is not an object");
    std::size_t next = 0;
    for (const auto& [key, value] : members) {
      const NamedField& known = Find(kPayloadFields, key, &next);
      if (!See(known)) return false;
      if (known.field == kType) {
        if (!ReadName(known, value, &event_->type)) return false;
      } else if (known.field == kValue) {
        if (value.is_null()) return Fail(known.path, "is null");
        if (!Convert(value, kPayloadDepth + 1, &event_->value)) return false;
      } else if (!AddMember(key, value, kPayloadDepth + 1, &event_->extra)) {
        return false;
      }
    }
    return true;
  }

  bool AddMember(std::string_view key, const element& value, int depth, Json* to) {
    if (to->contains(key)) return Fail("payload", "has a member twice");
    return Convert(value, depth, &(*to)[std::string(key)]);
  }

  // Recursion is bounded by kPayloadDepthMax.
  bool Convert(const element& from, int depth, Json* to) {
    switch (from.type()) {
      case element_type::OBJECT:
        if (depth > kPayloadDepthMax) return Fail("payload", "is nested deeper than 16");
        *to = Json::object();
        for (const auto& [key, value] : object(from)) {
          if (!AddMember(key, value, depth + 1, to)) return false;
        }
        return true;
      case element_type::ARRAY:
        if (depth > kPayloadDepthMax) return Fail("payload", "is nested deeper than 16");
        *to = Json::array();
        for (const element value : simdjson::dom::array(from)) {
          if (!Convert(value, depth + 1, &to->emplace_back(nullptr))) return false;
        }
        return true;
      case element_type::INT64:
        *to = std::int64_t(from);
        return true;
      case element_type::UINT64:
        *to = std::uint64_t(from);
        return true;
      case element_type::DOUBLE:
        *to = double(from);
        return true;
      case element_type::BOOL:
        *to = bool(from);
        return true;
      case element_type::STRING:
        *to = std::string_view(from);
        return true;
      case element_type::NULL_VALUE:
        *to = nullptr;
        return true;
    }
    return false;
  }

  static constexpr int kPayloadDepth = 2;  // the event is level 1

  Event* event_;
  std::string* diagnostic_;
  unsigned seen_ = 0;
};

template <typename Number>
void AppendNumber(Number number, std::string* out) {
  std::array<char, 32> text{};
  const std::to_chars_result end = std::to_chars(text.data(), text.data() + text.size(), number);
  out->append(text.data(), end.ptr);
}

}  // namespace

// The usual values without nlohmann's serializer (which allocates); the rest by it.
void AppendJson(const Json& value, std::string* out) {
  switch (value.type()) {
    case Json::value_t::number_float:
      return AppendNumber(value.get<double>(), out);
    case Json::value_t::number_integer:
      return AppendNumber(value.get<std::int64_t>(), out);
    case Json::value_t::number_unsigned:
      return AppendNumber(value.get<std::uint64_t>(), out);
    case Json::value_t::string:
      return AppendJsonText(value.get_ref<const std::string&>(), out);
    case Json::value_t::boolean:
      out->append(value.get<bool>() ? "true" : "false");
      return;
    default:
      out->append(value.dump());
  }
}

void AppendJsonText(std::string_view text, std::string* out) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\') {
      out->append(Json(text).dump());
      return;
    }
  }
  out->append(1, '"').append(text).append(1, '"');
}

EventJsonDecoder::EventJsonDecoder() : parser_(std::make_unique<simdjson::dom::parser>()) {}
EventJsonDecoder::~EventJsonDecoder() = default;

bool EventJsonDecoder::Decode(std::string_view text, Event* event, std::string* diagnostic) {
  event->extra = nullptr;
  event->timestamp_ns.reset();
  event->client_id.clear();
  if (text.empty()) {
    *diagnostic = "body is empty";
    return false;
  }
  EventReader reader(event, diagnostic);
  // Some versions of simdjson pass over a byte order mark; RFC 8259 section 8.1 lets nobody send
  // it.
  if (text.starts_with("\xef\xbb\xbf")) return reader.NotJson(simdjson::TAPE_ERROR);
  element root;
  const auto error = parser_->parse(text.data(), text.size()).get(root);
  if (error != simdjson::SUCCESS) return reader.NotJson(error);
  return reader.Read(root);
}

void AppendPayloadJson(const Event& event, std::string* out) {
  out->append("{\"type\":");
  AppendJsonText(event.type, out);
  out->append(",\"value\":");
  AppendJson(event.value, out);
  for (const auto& [key, value] : event.extra.items()) {
    out->append(1, ',');
    AppendJsonText(key, out);
    out->append(1, ':');
    AppendJson(value, out);
  }
  out->append(1, '}');
}

std::string EncodeEventJson(const Event& event) {
  std::string out = "{\"namespace\":";
  AppendJsonText(event.name_space, &out);
  out.append(",\"sender\":");
  AppendJsonText(event.sender, &out);
  out.append(",\"origin\":");
  AppendJsonText(event.origin, &out);
  out.append(",\"payload\":");
  AppendPayloadJson(event, &out);
  if (event.timestamp_ns.has_value()) {
    out.append(",\"timestamp\":\"").append(FormatTimestamp(*event.timestamp_ns)).append(1, '"');
  }
  if (!event.client_id.empty()) {
    out.append(",\"id\":");
    AppendJsonText(event.client_id, &out);
  }
  out.append(1, '}');
  return out;
}

}  // namespace collector
