#include "event/cbor.h"

#include <cbor.h>
#include <simdjson.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <limits>

#include "event/dom.h"
#include "event/event_json.h"

namespace collector {
namespace {

enum class Kind : std::uint8_t {
  kUnsigned,  // number
  kNegative,  // -1 - number
  kFloat,     // real
  kText,      // text
  kBytes,     // text
  kTextStart,
  kBytesStart,
  kArray,  // number: of items
  kMap,    // number: of pairs
  kArrayStart,
  kMapStart,
  kTag,  // number
  kBool,
  kNull,
  kUndefined,
  kBreak,
};

// What stands at one place: a whole scalar, or the beginning of something.
struct Item {
  Kind kind = Kind::kNull;
  bool truth = false;
  std::uint64_t number = 0;
  double real = 0;
  std::string_view text;
};

Item* Set(void* context, Kind kind) {
  Item* item = static_cast<Item*>(context);
  item->kind = kind;
  return item;
}

template <Kind kKind>
void OnSimple(void* context) {
  Set(context, kKind);
}
template <Kind kKind, typename Unsigned>
void OnNumber(void* context, Unsigned number) {
  Set(context, kKind)->number = number;
}
template <typename Float>
void OnFloat(void* context, Float number) {
  Set(context, Kind::kFloat)->real = static_cast<double>(number);
}
template <Kind kKind, typename Size>  // what libcbor has for lengths differs by version
void OnString(void* context, cbor_data bytes, Size size) {
  Set(context, kKind)->text = {reinterpret_cast<const char*>(bytes),
                               static_cast<std::size_t>(size)};
}
void OnBool(void* context, bool truth) { Set(context, Kind::kBool)->truth = truth; }

constexpr cbor_callbacks kCallbacks = {
    .uint8 = OnNumber<Kind::kUnsigned>,
    .uint16 = OnNumber<Kind::kUnsigned>,
    .uint32 = OnNumber<Kind::kUnsigned>,
    .uint64 = OnNumber<Kind::kUnsigned>,
    .negint64 = OnNumber<Kind::kNegative>,
    .negint32 = OnNumber<Kind::kNegative>,
    .negint16 = OnNumber<Kind::kNegative>,
    .negint8 = OnNumber<Kind::kNegative>,
    .byte_string_start = OnSimple<Kind::kBytesStart>,
    .byte_string = OnString<Kind::kBytes>,
    .string = OnString<Kind::kText>,
    .string_start = OnSimple<Kind::kTextStart>,
    .indef_array_start = OnSimple<Kind::kArrayStart>,
    .array_start = OnNumber<Kind::kArray>,
    .indef_map_start = OnSimple<Kind::kMapStart>,
    .map_start = OnNumber<Kind::kMap>,
    .tag = OnNumber<Kind::kTag>,
    .float2 = OnFloat,
    .float4 = OnFloat,
    .float8 = OnFloat,
    .undefined = OnSimple<Kind::kUndefined>,
    .null = OnSimple<Kind::kNull>,
    .boolean = OnBool,
    .indef_break = OnSimple<Kind::kBreak>,
};

constexpr std::uint64_t kTagTimeText = 0;
constexpr std::uint64_t kTagTimeNumber = 1;
constexpr std::uint64_t kTagDecimal = 4;
constexpr std::uint64_t kTagSelfDescribed = 55'799;

// RFC 8428 section 6, labels -6 to 8.
constexpr std::array<std::string_view, 15> kSenmlLabels{
    "bs", "bv", "bu", "bt", "bn", "bver", "n", "u", "v", "vs", "vb", "s", "t", "ut", "vd"};
constexpr std::int64_t kSenmlLabelMin = -6;

bool IsInteger(const Item& item) {
  return item.kind == Kind::kUnsigned || item.kind == Kind::kNegative;
}
bool IsNumber(const Item& item) { return IsInteger(item) || item.kind == Kind::kFloat; }

template <typename Number>
void AppendDigits(Number number, std::string* out) {
  std::array<char, 32> text{};
  const std::to_chars_result end = std::to_chars(text.data(), text.data() + text.size(), number);
  out->append(text.data(), end.ptr);
}

void AppendInteger(const Item& item, std::string* out) {
  if (item.kind == Kind::kUnsigned) return AppendDigits(item.number, out);
  AppendDigits(-1 - static_cast<std::int64_t>(item.number), out);
}

void AppendFloat(double number, std::string* out) {
  const std::size_t before = out->size();
  AppendDigits(number, out);
  // A fraction stays one: it is stored as such.
  if (out->find_first_of(".e", before) == std::string::npos) out->append(".0");
}

// RFC 4648 section 5, without padding.
void AppendBase64Url(std::string_view bytes, std::string* out) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  out->push_back('"');
  std::uint32_t held = 0;
  unsigned bits = 0;
  for (const char c : bytes) {
    held = held << 8 | static_cast<unsigned char>(c);
    for (bits += 8; bits >= 6; bits -= 6) out->push_back(kDigits[held >> (bits - 6) & 63]);
  }
  if (bits > 0) out->push_back(kDigits[held << (6 - bits) & 63]);
  out->push_back('"');
}

class Transcoder {
 public:
  Transcoder(std::string_view bytes, CborLabels labels, std::string* json, std::string* diagnostic)
      : rest_(bytes), labels_(labels), json_(json), diagnostic_(diagnostic) {}

  bool Run() {
    if (!Next()) return false;
    if (item_.kind == Kind::kTag && item_.number == kTagSelfDescribed && !Next()) return false;
    if (!Put()) return false;
    while (depth_ > 0) {
      if (levels_[depth_ - 1].EndsByCount()) {
        Close();
      } else if (!Next() || !Put()) {
        return false;
      }
    }
    return rest_.empty() || Fail("something follows");
  }

 private:
  struct Level {
    bool map = false;
    bool indefinite = false;
    std::uint64_t items_left = 0;  // keys and values both count
    std::uint64_t items_seen = 0;

    [[nodiscard]] bool EndsByCount() const { return !indefinite && items_left == 0; }
    [[nodiscard]] bool AtKey() const { return map && items_seen % 2 == 0; }
  };

  bool Fail(std::string_view why) { return Refuse(diagnostic_, "not CBOR:", why); }

  // Reads the next item, pieces of a string put together.
  bool Next() {
    if (!Take()) return false;
    if (item_.kind != Kind::kTextStart && item_.kind != Kind::kBytesStart) return true;
    const Kind whole = item_.kind == Kind::kTextStart ? Kind::kText : Kind::kBytes;
    pieces_.clear();
    for (;;) {
      if (!Take()) return false;
      if (item_.kind == Kind::kBreak) break;
      if (item_.kind != whole) return Fail("a piece of a string is none");
      pieces_.append(item_.text);
    }
    item_.kind = whole;
    item_.text = pieces_;
    return true;
  }

  bool Take() {
    const cbor_decoder_result result = cbor_stream_decode(reinterpret_cast<cbor_data>(rest_.data()),
                                                          rest_.size(), &kCallbacks, &item_);
    if (result.status == CBOR_DECODER_NEDATA) return Fail("cut short");
    if (result.status != CBOR_DECODER_FINISHED) return Fail("a byte that begins nothing");
    rest_.remove_prefix(result.read);
    return true;
  }

  bool Put() {
    if (item_.kind == Kind::kBreak) return PutBreak();
    if (depth_ > 0) {
      Level& level = levels_[depth_ - 1];
      if (level.items_seen > 0) json_->push_back(level.map && !level.AtKey() ? ':' : ',');
      const bool key = level.AtKey();
      ++level.items_seen;
      --level.items_left;
      if (key) return PutKey();
    }
    return item_.kind == Kind::kTag ? PutTagged() : PutValue();
  }

  bool PutBreak() {
    if (depth_ == 0) return Fail("a break that ends nothing");
    const Level& level = levels_[depth_ - 1];
    if (!level.indefinite || (level.map && !level.AtKey())) {
      return Fail("a break that ends nothing");
    }
    Close();
    return true;
  }

  bool PutKey() {
    data_ = false;
    if (labels_ == CborLabels::kSenml && IsInteger(item_)) return PutLabel();
    if (item_.kind != Kind::kText) return Fail("a map's key is not a text");
    data_ = item_.text == "vd";
    return PutText();
  }

  bool PutLabel() {
    if (!IntegerFits()) return false;
    const auto number = static_cast<std::int64_t>(item_.number);
    const std::int64_t label = item_.kind == Kind::kUnsigned ? number : -1 - number;
    json_->push_back('"');
    if (label >= kSenmlLabelMin && label - kSenmlLabelMin < std::ssize(kSenmlLabels)) {
      const std::string_view name = kSenmlLabels[static_cast<std::size_t>(label - kSenmlLabelMin)];
      data_ = name == "vd";
      json_->append(name);
    } else {
      AppendInteger(item_, json_);
    }
    json_->push_back('"');
    return true;
  }

  bool PutTagged() {
    const std::uint64_t tag = item_.number;
    if (tag == kTagDecimal) return PutDecimal();
    if (tag != kTagTimeText && tag != kTagTimeNumber) return Fail("a tag other than 0, 1 and 4");
    if (!Next()) return false;
    if (tag == kTagTimeText ? item_.kind != Kind::kText : !IsNumber(item_)) {
      return Fail("a time that is no text or number");
    }
    return PutValue();
  }

  // [exponent, mantissa], in powers of ten (RFC 8949 section 3.4.4).
  bool PutDecimal() {
    std::string number;
    if (!Next()) return false;
    if (item_.kind != Kind::kArray || item_.number != 2) return FailDecimal();
    if (!Next()) return false;
    if (!IsInteger(item_)) return FailDecimal();
    if (!IntegerFits()) return false;
    AppendInteger(item_, &number);
    const std::string exponent = number;
    if (!Next()) return false;
    if (!IsInteger(item_)) return FailDecimal();
    if (!IntegerFits()) return false;
    number.clear();
    AppendInteger(item_, &number);
    number.append("e").append(exponent);
    double real = 0;
    const char* end = number.data() + number.size();
    if (std::from_chars(number.data(), end, real).ec != std::errc{}) {
      return Fail("a number out of range");
    }
    json_->append(number);
    return true;
  }
  bool FailDecimal() { return Fail("a decimal fraction of no two integers"); }

  bool PutValue() {
    switch (item_.kind) {
      case Kind::kUnsigned:
      case Kind::kNegative:
        if (!IntegerFits()) return false;
        AppendInteger(item_, json_);
        return true;
      case Kind::kFloat:
        if (!std::isfinite(item_.real)) return Fail("NaN or an infinity");
        AppendFloat(item_.real, json_);
        return true;
      case Kind::kText:
        return PutText();
      case Kind::kBytes:
        if (labels_ != CborLabels::kSenml || !data_) return Fail("a byte string");
        AppendBase64Url(item_.text, json_);
        return true;
      case Kind::kBool:
        json_->append(item_.truth ? "true" : "false");
        return true;
      case Kind::kNull:
        json_->append("null");
        return true;
      case Kind::kArray:
      case Kind::kArrayStart:
      case Kind::kMap:
      case Kind::kMapStart:
        return Open();
      default:
        return Fail("a value that JSON does not have");
    }
  }

  bool PutText() {
    if (!simdjson::validate_utf8(item_.text.data(), item_.text.size())) return Fail("not UTF-8");
    AppendJsonText(item_.text, json_);
    return true;
  }

  bool IntegerFits() {
    constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
    return item_.kind == Kind::kUnsigned || item_.number <= kMax || Fail("an integer below -2^63");
  }

  bool Open() {
    if (depth_ == levels_.size()) return Fail("nested too deep");
    const bool map = item_.kind == Kind::kMap || item_.kind == Kind::kMapStart;
    const bool indefinite = item_.kind == Kind::kArrayStart || item_.kind == Kind::kMapStart;
    // An item takes a byte at least: more than there are bytes cannot follow.
    if (!indefinite && item_.number > rest_.size()) return Fail("cut short");
    levels_[depth_++] = {.map = map,
                         .indefinite = indefinite,
                         .items_left = indefinite ? 0 : item_.number * (map ? 2 : 1),
                         .items_seen = 0};
    json_->push_back(map ? '{' : '[');
    return true;
  }

  void Close() { json_->push_back(levels_[--depth_].map ? '}' : ']'); }

  std::string_view rest_;
  CborLabels labels_;
  std::string* json_;
  std::string* diagnostic_;
  Item item_;
  std::string pieces_;  // of a string of indefinite length
  bool data_ = false;   // the last key was "vd"
  std::array<Level, 32> levels_{};
  std::size_t depth_ = 0;
};

}  // namespace

bool CborToJson(std::string_view bytes, CborLabels labels, std::string* json,
                std::string* diagnostic) {
  json->clear();
  return Transcoder(bytes, labels, json, diagnostic).Run();
}

}  // namespace collector
