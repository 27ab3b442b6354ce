#include "event/event_json.h"

#include <simdjson.h>

#include <array>
#include <charconv>
#include <cstdint>

#include "event/dom.h"
#include "event/timestamp.h"

namespace collector {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

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

// Copies a parsed event into an Event, checking each member.
class EventReader {
 public:
  // `where`: "[3].", or nothing for an event that is alone.
  EventReader(std::string_view where, Timestamps timestamps, Event* event, std::string* diagnostic)
      : where_(where), timestamps_(timestamps), event_(event), diagnostic_(diagnostic) {}

  bool Read(const element& root) {
    object members;
    if (root.get(members) != simdjson::SUCCESS) return Fail("event", "is not an object");
    std::size_t next = 0;
    for (const auto& [key, value] : members) {
      const NamedField& known = Find(kTopFields, key, &next);
      if (known.field == kNone) return Fail(Shown(key), "is no member of an event");
      if (!See(known) || !ReadMember(known, value)) return false;
    }
    return Complete();
  }

 private:
  bool Fail(std::string_view what, std::string_view why) {
    return Refuse(diagnostic_, std::string(where_).append(what), why);
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
    if (const auto why = WhyNoName(text); !why.empty()) return Fail(known.path, why);
    name->assign(text);
    return true;
  }

  bool ReadTimestamp(const NamedField& known, const element& value) {
    if (timestamps_ == Timestamps::kTextOrSeconds && value.is_number()) {
      event_->timestamp_ns =
          value.is_int64() ? NanosecondsOf(std::int64_t(value)) : NanosecondsOf(double(value));
      return event_->timestamp_ns.value_or(-1) >= 0 || Fail(known.path, "is not 1970 to 2261");
    }
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
      std::string_view why;
      if (known.field == kType) {
        if (!ReadName(known, value, &event_->type)) return false;
      } else if (known.field == kValue) {
        if (value.is_null()) return Fail(known.path, "is null");
        why = CopyValue(value, kMemberDepth, &event_->value);
      } else {
        why = CopyMember(key, value, kMemberDepth, &event_->extra);
      }
      if (!why.empty()) return Fail("payload", why);
    }
    return true;
  }

  std::string_view where_;
  Timestamps timestamps_;
  Event* event_;
  std::string* diagnostic_;
  unsigned seen_ = 0;
};

bool ReadEvents(const element& root, Timestamps timestamps, EventList* events,
                std::string* diagnostic) {
  simdjson::dom::array elements;
  if (root.get(elements) != simdjson::SUCCESS) {
    return EventReader({}, timestamps, events->Add(), diagnostic).Read(root);
  }
  for (const element event : elements) {
    if (events->size() == kEventsPerBodyMax) return Refuse(diagnostic, "more than", "1000 events");
    const std::string where = "[" + std::to_string(events->size()) + "].";
    if (!EventReader(where, timestamps, events->Add(), diagnostic).Read(event)) return false;
  }
  return events->size() > 0 || Refuse(diagnostic, "array", "has no events");
}

template <typename Number>
void AppendNumber(Number number, std::string* out) {
  std::array<char, 32> text{};
  const std::to_chars_result end = std::to_chars(text.data(), text.data() + text.size(), number);
  out->append(text.data(), end.ptr);
}

// In the shortest form that is read as the same number; an integer of more than 64 bits would not
// be.
void AppendDouble(double number, std::string* out) {
  constexpr double kIntegersBegin = -9'223'372'036'854'775'808.0;
  constexpr double kIntegersEnd = 18'446'744'073'709'551'616.0;
  if (number >= kIntegersBegin && number < kIntegersEnd) return AppendNumber(number, out);
  std::array<char, 32> text{};
  const std::to_chars_result end =
      std::to_chars(text.data(), text.data() + text.size(), number, std::chars_format::scientific);
  out->append(text.data(), end.ptr);
}

}  // namespace

// The usual values without nlohmann's serializer (which allocates); the rest by it.
void AppendJson(const Json& value, std::string* out) {
  switch (value.type()) {
    case Json::value_t::number_float:
      return AppendDouble(value.get<double>(), out);
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

bool EventJsonDecoder::Decode(std::string_view text, Timestamps timestamps, EventList* events,
                              std::string* diagnostic) {
  events->Clear();
  // Some versions of simdjson pass over a byte order mark; RFC 8259 section 8.1 lets nobody send
  // it.
  const bool marked = text.starts_with("\xef\xbb\xbf");
  element root;
  const auto error =
      marked ? simdjson::TAPE_ERROR : parser_->parse(text.data(), text.size()).get(root);
  if (error != simdjson::SUCCESS) return Refuse(diagnostic, "not JSON:", Explain(error));
  return ReadEvents(root, timestamps, events, diagnostic);
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
