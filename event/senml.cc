#include "event/senml.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <optional>

#include "event/dom.h"
#include "event/timestamp.h"

namespace collector {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

// A record's fields (RFC 8428 section 4), as bits so that a second one of the same name is seen.
enum Field : unsigned {
  kUnknown = 0,
  kBaseName = 1u << 0,
  kBaseTime = 1u << 1,
  kBaseUnit = 1u << 2,
  kBaseValue = 1u << 3,
  kBaseSum = 1u << 4,
  kBaseVersion = 1u << 5,
  kName = 1u << 6,
  kUnit = 1u << 7,
  kValue = 1u << 8,
  kStringValue = 1u << 9,
  kBoolValue = 1u << 10,
  kDataValue = 1u << 11,
  kSum = 1u << 12,
  kTime = 1u << 13,
  kUpdateTime = 1u << 14,
};
constexpr unsigned kAnyValue = kValue | kStringValue | kBoolValue | kDataValue;

struct Label {
  std::string_view text;
  Field field;
};
constexpr std::array kLabels{
    Label{"n", kName},       Label{"v", kValue},        Label{"u", kUnit},
    Label{"t", kTime},       Label{"bn", kBaseName},    Label{"bt", kBaseTime},
    Label{"bu", kBaseUnit},  Label{"vs", kStringValue}, Label{"vb", kBoolValue},
    Label{"vd", kDataValue}, Label{"s", kSum},          Label{"ut", kUpdateTime},
    Label{"bv", kBaseValue}, Label{"bs", kBaseSum},     Label{"bver", kBaseVersion}};

// Members of our payload: no unknown field of a record may take their place.
constexpr std::array<std::string_view, 6> kPayloadMembers{"type", "value",       "unit",
                                                          "sum",  "update_time", "encoding"};

constexpr std::int64_t kVersionMax = 10;
// From here on a time is absolute, below it counts from now (section 4.5.3).
constexpr std::int64_t kAbsoluteFromNs = (std::int64_t{1} << 28) * 1'000'000'000;
constexpr std::int64_t kRelativeMinNs = -4 * kAbsoluteFromNs;  // 34 years ago

Field FieldOf(std::string_view key) {
  for (const Label& label : kLabels) {
    if (label.text == key) return label.field;
  }
  return kUnknown;
}

// Section 4.5.1.
bool IsAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
bool IsSenmlName(std::string_view name) {
  return !name.empty() && IsAlphanumeric(name.front()) &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return IsAlphanumeric(c) || std::string_view("-:./_").find(c) != std::string_view::npos;
         });
}

bool IsBase64Url(std::string_view text) {
  return text.size() % 4 != 1 && std::all_of(text.begin(), text.end(), [](char c) {
           return IsAlphanumeric(c) || c == '-' || c == '_';
         });
}

// Where the measured quantity begins in a name, and how long the device's part before it is. A
// name that has only the device's part: both are its end.
struct Split {
  std::size_t device_end;
  std::size_t quantity;
};
Split SplitName(std::string_view name) {
  constexpr std::string_view kDeviceUrn = "urn:dev:";
  std::size_t at = name.rfind('/');
  if (at == std::string_view::npos && name.starts_with(kDeviceUrn)) {
    // urn:dev:mac:0024befffe804ff1 and, behind ':' (RFC 8428) or '_' (RFC 9039), what it measures.
    const std::size_t id = name.find(':', kDeviceUrn.size());
    at = id == std::string_view::npos ? id : name.find_first_of(":_", id + 1);
  } else if (at == std::string_view::npos) {
    at = name.rfind(':');
  }
  if (at == std::string_view::npos) return {name.size(), name.size()};
  return {at, at + 1};
}

// Integers as long as they stay ones.
Json Sum(const Json& a, const Json& b) {
  if (a.is_null()) return b;
  if (b.is_null()) return a;
  std::int64_t whole = 0;
  const bool integers = a.is_number_integer() && b.is_number_integer() && !a.is_number_unsigned() &&
                        !b.is_number_unsigned();
  if (integers && !__builtin_add_overflow(a.get<std::int64_t>(), b.get<std::int64_t>(), &whole)) {
    return whole;
  }
  return a.get<double>() + b.get<double>();
}

// Reads the records of one pack, in order: a base field counts from its record on.
class PackReader {
 public:
  PackReader(EventList* events, std::string* diagnostic)
      : events_(events), diagnostic_(diagnostic) {}

  bool Read(const element& root) {
    simdjson::dom::array records;
    if (root.get(records) != simdjson::SUCCESS) return Refuse(diagnostic_, "pack", "is no array");
    for (const element record : records) {
      if (events_->size() == kEventsPerBodyMax) {
        return Refuse(diagnostic_, "more than", "1000 records");
      }
      event_ = events_->Add();
      object members;
      if (record.get(members) != simdjson::SUCCESS) return Fail("record", "is not an object");
      if (!ReadRecord(members) || !Resolve()) return false;
    }
    return events_->size() > 0 || Refuse(diagnostic_, "pack", "has no records");
  }

 private:
  struct Record {
    unsigned seen = 0;
    std::string_view name;
    std::string_view unit;
    std::int64_t time_ns = 0;
    Json number;  // v
    Json sum;
  };

  bool Fail(std::string_view what, std::string_view why) {
    const std::string where = "[" + std::to_string(events_->size() - 1) + "].";
    return Refuse(diagnostic_, where + std::string(what), why);
  }

  bool ReadRecord(const object& members) {
    record_ = {};
    for (const auto& [key, value] : members) {
      const Field field = FieldOf(key);
      if ((record_.seen & field) != 0) return Fail(key, "is there twice");
      record_.seen |= field;
      if (!(field == kUnknown ? KeepUnknown(key, value) : ReadField(field, key, value))) {
        return false;
      }
    }
    return true;
  }

  bool ReadField(Field field, std::string_view key, const element& value) {
    switch (field) {
      case kBaseName:
        return ReadText(key, value, &base_name_);
      case kName:
        return ReadText(key, value, &record_.name);
      case kBaseUnit:
        return ReadText(key, value, &base_unit_);
      case kUnit:
        return ReadText(key, value, &record_.unit);
      case kBaseTime:
        return ReadTime(key, value, &base_time_ns_);
      case kTime:
        return ReadTime(key, value, &record_.time_ns);
      case kBaseValue:
        return ReadNumber(key, value, &base_value_);
      case kBaseSum:
        return ReadNumber(key, value, &base_sum_);
      case kSum:
        return ReadNumber(key, value, &record_.sum);
      case kUpdateTime:
        return ReadNumber(key, value, &event_->extra["update_time"]);
      case kBaseVersion:
        return ReadVersion(key, value);
      default:
        return ReadValue(field, key, value);
    }
  }

  bool ReadText(std::string_view key, const element& value, std::string_view* text) {
    return value.get(*text) == simdjson::SUCCESS || Fail(key, "is not a string");
  }

  bool ReadNumber(std::string_view key, const element& value, Json* number) {
    if (!value.is_number()) return Fail(key, "is not a number");
    return CopyValue(value, kMemberDepth, number).empty();
  }

  bool ReadTime(std::string_view key, const element& value, std::int64_t* ns) {
    if (!value.is_number()) return Fail(key, "is not a number");
    const auto read =
        value.is_int64() ? NanosecondsOf(std::int64_t(value)) : NanosecondsOf(double(value));
    *ns = read.value_or(0);
    return read.has_value() || Fail(key, "is out of range");
  }

  bool ReadVersion(std::string_view key, const element& value) {
    if (!value.is_int64() || std::int64_t(value) < 1) return Fail(key, "is no positive integer");
    return std::int64_t(value) <= kVersionMax || Fail(key, "is higher than 10");
  }

  bool ReadValue(Field field, std::string_view key, const element& value) {
    if (std::popcount(record_.seen & kAnyValue) > 1) return Fail("record", "has two values");
    if (field == kValue) return ReadNumber(key, value, &record_.number);
    if (field == kBoolValue) {
      if (!value.is_bool()) return Fail(key, "is not a boolean");
      event_->value = bool(value);
      return true;
    }
    std::string_view text;
    if (!ReadText(key, value, &text)) return false;
    if (field == kDataValue) {
      if (!IsBase64Url(text)) return Fail(key, "is not base64url without padding");
      event_->extra["encoding"] = "base64url";
    }
    event_->value = text;
    return true;
  }

  // Section 4.4: a label that ends with "_" must be understood, others may be passed over. Nothing
  // that is acknowledged is lost, so they are kept.
  bool KeepUnknown(std::string_view key, const element& value) {
    if (key.ends_with('_')) return Fail(Shown(key), "must be understood, and is not");
    if (std::find(kPayloadMembers.begin(), kPayloadMembers.end(), key) != kPayloadMembers.end()) {
      return Fail(key, "is no label of SenML");
    }
    const std::string_view why = CopyMember(key, value, kMemberDepth, &event_->extra);
    return why.empty() || Fail(Shown(key), why);
  }

  // Section 4.6.
  bool Resolve() {
    const std::string_view unit = (record_.seen & kUnit) != 0 ? record_.unit : base_unit_;
    if (!unit.empty()) event_->extra["unit"] = unit;
    return ResolveValue() && ResolveTime() && ResolveName(unit);
  }

  bool ResolveValue() {
    Json sum = Sum(base_sum_, record_.sum);
    if ((record_.seen & (kAnyValue ^ kValue)) == 0) {
      event_->value = Sum(base_value_, record_.number);
      if (event_->value.is_null()) event_->value = sum;
      if (event_->value.is_null()) return Fail("record", "has no value");
      if (!Finite(event_->value)) return Fail("v", "is out of range");
    }
    if (!Finite(sum)) return Fail("s", "is out of range");
    if (!sum.is_null()) event_->extra["sum"] = std::move(sum);
    return true;
  }

  static bool Finite(const Json& number) {
    return !number.is_number_float() || std::isfinite(number.get<double>());
  }

  bool ResolveTime() {
    std::int64_t ns = 0;
    if (__builtin_add_overflow(base_time_ns_, record_.time_ns, &ns) || ns < kRelativeMinNs ||
        !(ns < kAbsoluteFromNs || FormatsAsTimestamp(ns))) {
      return Fail("t", "is out of range");
    }
    if (ns >= kAbsoluteFromNs) {
      event_->timestamp_ns = ns;
    } else {
      event_->arrival_offset_ns = ns;
    }
    return true;
  }

  static bool FormatsAsTimestamp(std::int64_t ns) {
    return NanosecondsOf(ns / 1'000'000'000).has_value();
  }

  bool ResolveName(std::string_view unit) {
    name_.assign(base_name_).append(record_.name);
    if (name_.empty()) return Fail("n", "is missing");
    if (!IsSenmlName(name_)) return Fail("n", "is no SenML name");
    const std::string_view name = name_;
    const Split split = SplitName(name);
    const std::string_view device = name.substr(0, split.device_end);
    std::string_view quantity = name.substr(split.quantity);
    if (quantity.empty()) quantity = unit.empty() ? "value" : unit;
    if (const auto why = WhyNoName(device); !why.empty()) return Fail("n's device", why);
    if (const auto why = WhyNoName(quantity); !why.empty()) return Fail("n's quantity", why);
    event_->name_space.assign("default");
    event_->sender.assign(device);
    event_->origin.assign(device);
    event_->type.assign(quantity);
    return true;
  }

  EventList* events_;
  std::string* diagnostic_;
  Event* event_ = nullptr;
  Record record_;
  std::string name_;
  std::string_view base_name_;
  std::string_view base_unit_;
  std::int64_t base_time_ns_ = 0;
  Json base_value_;
  Json base_sum_;
};

}  // namespace

SenmlDecoder::SenmlDecoder() : parser_(std::make_unique<simdjson::dom::parser>()) {}
SenmlDecoder::~SenmlDecoder() = default;

bool SenmlDecoder::Decode(std::string_view text, EventList* events, std::string* diagnostic) {
  events->Clear();
  element root;
  const auto error = parser_->parse(text.data(), text.size()).get(root);
  if (error != simdjson::SUCCESS) return Refuse(diagnostic, "not JSON:", Explain(error));
  return PackReader(events, diagnostic).Read(root);
}

}  // namespace collector
