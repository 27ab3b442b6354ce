#include "client/value.h"

namespace collector::client {
namespace {

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

std::string Printable(std::string_view text) {
  std::string out(IsUtf8(text) ? text : "(not UTF-8)");
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return out;
}

}  // namespace collector::client
