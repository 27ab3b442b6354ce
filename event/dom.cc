#include "event/dom.h"

namespace collector {

using simdjson::dom::element;
using simdjson::dom::element_type;

bool Refuse(std::string* diagnostic, std::string_view what, std::string_view why) {
  diagnostic->assign(what).append(" ").append(why);
  if (diagnostic->size() > kDiagnosticBytesMax) diagnostic->resize(kDiagnosticBytesMax);
  return false;
}

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

std::string Shown(std::string_view text) {
  std::string shown;
  for (const char c : text.substr(0, 32)) shown.push_back(c > ' ' && c < 0x7f ? c : '?');
  return shown;
}

std::string_view WhyNoName(std::string_view text) {
  if (text.empty()) return "is empty";
  if (text.size() > kNameBytesMax) return "is longer than 256 bytes";
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return "has a control character";
  }
  return {};
}

std::string_view CopyMember(std::string_view key, const element& value, int depth, Json* to) {
  if (to->contains(key)) return "has a member twice";
  return CopyValue(value, depth, &(*to)[std::string(key)]);
}

std::string_view CopyValue(const element& from, int depth, Json* to) {
  switch (from.type()) {
    case element_type::OBJECT:
      if (depth > kPayloadDepthMax) return "is nested deeper than 16";
      *to = Json::object();
      for (const auto& [key, value] : simdjson::dom::object(from)) {
        if (const auto why = CopyMember(key, value, depth + 1, to); !why.empty()) return why;
      }
      return {};
    case element_type::ARRAY:
      if (depth > kPayloadDepthMax) return "is nested deeper than 16";
      *to = Json::array();
      for (const element value : simdjson::dom::array(from)) {
        const auto why = CopyValue(value, depth + 1, &to->emplace_back(nullptr));
        if (!why.empty()) return why;
      }
      return {};
    case element_type::INT64:
      *to = std::int64_t(from);
      return {};
    case element_type::UINT64:
      *to = std::uint64_t(from);
      return {};
    case element_type::DOUBLE:
      *to = double(from);
      return {};
    case element_type::BOOL:
      *to = bool(from);
      return {};
    case element_type::STRING:
      *to = std::string_view(from);
      return {};
    case element_type::NULL_VALUE:
      *to = nullptr;
      return {};
  }
  return "is of no known type";
}

}  // namespace collector
