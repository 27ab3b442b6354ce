#include "client/value.h"

#include <utility>
#include <vector>

namespace collector::client {
namespace {

constexpr int kDepthMax = 64;

Json ParseJson(std::string_view text) {
  return Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
}

std::string WithLeadingZero(std::string_view text) {
  if (text.substr(0, 1) == ".") return "0" + std::string(text);
  if (text.substr(0, 2) == "-.") return "-0" + std::string(text.substr(1));
  return std::string(text);
}

}  // namespace

Result<Json> ParseValue(std::string_view text) {
  Json value = ParseJson(WithLeadingZero(text));
  if (value.is_null()) {
    return Error{ErrorCode::kInvalid, "null is no value; the text is '\"null\"'"};
  }
  if (!value.is_discarded()) return value;
  if (!text.empty() && (text.front() == '{' || text.front() == '[')) {
    return Error{ErrorCode::kInvalid, "'" + std::string(text) + "' begins like JSON and is none"};
  }
  return Json(std::string(text));
}

bool IsUtf8(std::string_view text) {
  // A JSON text of one string: its parser refuses invalid UTF-8.
  std::string json = "\"";
  for (const char c : text) {
    const bool plain = static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\';
    json.push_back(plain ? c : ' ');
  }
  return Json::accept(json + "\"");
}

bool IsDeep(const Json& json) {
  std::vector<std::pair<const Json*, int>> open{{&json, 0}};
  while (!open.empty()) {
    const auto [value, depth] = open.back();
    open.pop_back();
    if (depth > kDepthMax) return true;
    if (!value->is_structured()) continue;
    for (const Json& member : *value) {
      if (member.is_structured()) open.emplace_back(&member, depth + 1);
    }
  }
  return false;
}

std::string Printable(std::string_view text) {
  std::string out(IsUtf8(text) ? text : "(not UTF-8)");
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return out;
}

}  // namespace collector::client
