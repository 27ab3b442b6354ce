#include "event/event_json.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <vector>

#include "event/timestamp.h"

namespace collector {
namespace {

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
  kExtra = 1u << 8,  // any other member of payload; may come many times
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
constexpr unsigned kRequired = kNamespace | kSender | kOrigin | kPayload | kType | kValue;

std::string_view PathOf(Field field) {
  for (const NamedField& known : kTopFields) {
    if (known.field == field) return known.path;
  }
  for (const NamedField& known : kPayloadFields) {
    if (known.field == field) return known.path;
  }
  return "payload";
}

// Receives nlohmann's SAX events. Level 0 is outside, 1 the event, 2 its payload; below that, and
// for payload's other members, values are built as Json, because they are kept as they are.
class EventSax : public nlohmann::json_sax<Json> {
 public:
  EventSax(Event* event, std::string* diagnostic) : event_(event), diagnostic_(diagnostic) {}

  [[nodiscard]] bool Finish() {
    for (unsigned bit = kNamespace; bit <= kValue; bit <<= 1) {
      if ((kRequired & bit & ~seen_) != 0) {
        return Fail(PathOf(static_cast<Field>(bit)), "is missing");
      }
    }
    return true;
  }

  bool null() override { return Scalar(nullptr); }
  bool boolean(bool value) override { return Scalar(value); }
  bool number_integer(std::int64_t value) override { return Scalar(value); }
  bool number_unsigned(std::uint64_t value) override { return Scalar(value); }
  bool number_float(double value, const std::string&) override { return Scalar(value); }
  bool string(std::string& value) override {
    if (!building_.empty()) return Place(Json(value));
    switch (field_) {
      case kNamespace:
        return Name(value, &event_->name_space);
      case kSender:
        return Name(value, &event_->sender);
      case kOrigin:
        return Name(value, &event_->origin);
      case kType:
        return Name(value, &event_->type);
      case kId:
        if (value.size() > kClientIdBytesMax) return Fail("id", "is longer than 64 bytes");
        event_->client_id = value;
        return !value.empty() || Fail("id", "is empty");
      case kTimestamp:
        event_->timestamp_ns = ParseTimestamp(value);
        return event_->timestamp_ns.has_value() ||
               Fail("timestamp", "is not RFC 3339, 1970 to 2261");
      default:
        return Scalar(value);
    }
  }
  bool binary(Json::binary_t&) override { return Fail("event", "has binary data"); }

  bool start_object(std::size_t) override {
    if (!building_.empty() || field_ == kValue || field_ == kExtra) return Open(Json::object());
    if (level_ == 0 || (level_ == 1 && field_ == kPayload)) {
      ++level_;
      return true;
    }
    return WrongType();
  }
  bool end_object() override {
    if (!building_.empty()) return Close();
    --level_;
    return true;
  }
  bool start_array(std::size_t) override {
    if (!building_.empty() || field_ == kValue || field_ == kExtra) return Open(Json::array());
    return WrongType();
  }
  bool end_array() override { return Close(); }

  bool key(std::string& key) override {
    if (!building_.empty()) {
      if (building_.back()->contains(key)) return Fail("payload", "has a member twice");
      member_ = key;
      return true;
    }
    field_ = level_ == 1 ? Find(kTopFields, key) : Find(kPayloadFields, key);
    if (field_ == kNone && level_ == 1) return Unknown(key);
    if (field_ == kNone) {
      field_ = kExtra;
      if (!event_->extra.is_object()) event_->extra = Json::object();
      if (event_->extra.contains(key)) return Fail("payload", "has a member twice");
      member_ = key;
      return true;
    }
    if ((seen_ & field_) != 0) return Fail(PathOf(field_), "is there twice");
    seen_ |= field_;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    if (error.id == 406) return Fail("number", "is out of range");
    return Fail("not JSON:", "error at byte " + std::to_string(position));
  }

 private:
  template <typename Fields>
  static Field Find(const Fields& fields, std::string_view key) {
    for (const NamedField& known : fields) {
      if (known.key == key) return known.field;
    }
    return kNone;
  }

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

  bool WrongType() {
    switch (field_) {
      case kPayload:
        return Fail("payload", "is not an object");
      case kNone:
        return Fail("event", "is not an object");
      default:
        return Fail(PathOf(field_), "is not a string");
    }
  }

  bool Name(const std::string& value, std::string* out) {
    if (value.empty()) return Fail(PathOf(field_), "is empty");
    if (value.size() > kNameBytesMax) return Fail(PathOf(field_), "is longer than 256 bytes");
    for (const char c : value) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
        return Fail(PathOf(field_), "has a control character");
      }
    }
    *out = value;
    return true;
  }

  template <typename Value>
  bool Scalar(Value value) {
    if (!building_.empty()) return Place(Json(std::move(value)));
    if (field_ == kValue) {
      event_->value = std::move(value);
      return !event_->value.is_null() || Fail("payload.value", "is null");
    }
    if (field_ == kExtra) {
      event_->extra[member_] = std::move(value);
      return true;
    }
    return WrongType();
  }

  // Puts a finished or opening value where the innermost open array or object wants it.
  bool Place(Json value) {
    Json* parent = building_.back();
    if (parent->is_array()) {
      parent->push_back(std::move(value));
    } else {
      (*parent)[member_] = std::move(value);
    }
    return true;
  }

  bool Open(Json empty) {
    if (static_cast<int>(building_.size()) + level_ >= kPayloadDepthMax) {
      return Fail("payload", "is nested deeper than 16");
    }
    Json* opened = nullptr;
    if (building_.empty()) {
      Json& root = field_ == kValue ? event_->value : event_->extra[member_];
      root = std::move(empty);
      opened = &root;
    } else {
      Json* parent = building_.back();
      Place(std::move(empty));
      opened = parent->is_array() ? &parent->back() : &(*parent)[member_];
    }
    building_.push_back(opened);
    return true;
  }

  bool Close() {
    building_.pop_back();
    return true;
  }

  Event* event_;
  std::string* diagnostic_;
  unsigned seen_ = 0;
  Field field_ = kNone;
  int level_ = 0;
  std::vector<Json*> building_;  // the open arrays and objects below value or another member
  std::string member_;           // the key last read where a Json is built
};

void AppendNumber(double number, std::string* out) {
  std::array<char, 32> text{};
  const std::to_chars_result end = std::to_chars(text.data(), text.data() + text.size(), number);
  out->append(text.data(), end.ptr);
}

// The usual values without nlohmann's serializer (which allocates); the rest by it.
void AppendJson(const Json& value, std::string* out) {
  switch (value.type()) {
    case Json::value_t::number_float:
      return AppendNumber(value.get<double>(), out);
    case Json::value_t::boolean:
      out->append(value.get<bool>() ? "true" : "false");
      return;
    default:
      out->append(value.dump());
  }
}

void AppendText(const std::string& text, std::string* out) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\') {
      out->append(Json(text).dump());
      return;
    }
  }
  out->append(1, '"').append(text).append(1, '"');
}

}  // namespace

bool DecodeEventJson(std::string_view text, Event* event, std::string* diagnostic) {
  event->extra = nullptr;
  event->timestamp_ns.reset();
  event->client_id.clear();
  if (text.empty()) {
    *diagnostic = "body is empty";
    return false;
  }
  EventSax sax(event, diagnostic);
  return Json::sax_parse(text.begin(), text.end(), &sax) && sax.Finish();
}

void AppendPayloadJson(const Event& event, std::string* out) {
  out->append("{\"type\":");
  AppendText(event.type, out);
  out->append(",\"value\":");
  AppendJson(event.value, out);
  for (const auto& [key, value] : event.extra.items()) {
    out->append(1, ',');
    AppendText(key, out);
    out->append(1, ':');
    AppendJson(value, out);
  }
  out->append(1, '}');
}

std::string EncodeEventJson(const Event& event) {
  std::string out = "{\"namespace\":";
  AppendText(event.name_space, &out);
  out.append(",\"sender\":");
  AppendText(event.sender, &out);
  out.append(",\"origin\":");
  AppendText(event.origin, &out);
  out.append(",\"payload\":");
  AppendPayloadJson(event, &out);
  if (event.timestamp_ns.has_value()) {
    out.append(",\"timestamp\":\"").append(FormatTimestamp(*event.timestamp_ns)).append(1, '"');
  }
  if (!event.client_id.empty()) {
    out.append(",\"id\":");
    AppendText(event.client_id, &out);
  }
  out.append(1, '}');
  return out;
}

}  // namespace collector
