#include "collector/coap/psk_file.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <vector>

namespace collector {
namespace {

constexpr std::size_t kKeyBytesMin = 16;       // as strong as the cipher
constexpr std::size_t kKeyBytesMax = 64;       // what clients take: libcoap's COAP_DTLS_MAX_PSK
constexpr std::size_t kIdentityBytesMax = 64;  // and COAP_DTLS_MAX_PSK_IDENTITY

int DigitOf(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const int lower = std::tolower(static_cast<unsigned char>(c));
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::optional<std::string> FromHex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = DigitOf(text[i]);
    const int low = DigitOf(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(high * 16 + low));
  }
  return bytes;
}

std::optional<std::string> FromBase64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  std::vector<unsigned char> bytes(text.size() / 4 * 3);
  const int decoded =
      EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char*>(text.data()),
                      static_cast<int>(text.size()));
  if (decoded < 0) return std::nullopt;
  const auto padding = static_cast<std::size_t>(std::count(text.end() - 2, text.end(), '='));
  return std::string(bytes.begin(), bytes.end() - static_cast<std::ptrdiff_t>(padding));
}

std::string_view Trimmed(std::string_view line) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!line.empty() && blank(line.front())) line.remove_prefix(1);
  while (!line.empty() && blank(line.back())) line.remove_suffix(1);
  return line;
}

bool Printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) > ' ' && static_cast<unsigned char>(c) != 0x7f;
  });
}

// What is wrong with a line, or nothing.
std::string TakeLine(std::string_view line, PskTable* table) {
  const std::size_t colon = line.rfind(':');
  if (colon == line.npos) return "is not identity:key";
  const std::string_view identity = Trimmed(line.substr(0, colon));
  const std::string_view text = Trimmed(line.substr(colon + 1));
  if (identity.empty() || identity.size() > kIdentityBytesMax || !Printable(identity)) {
    return "an identity is 1 to 64 bytes without blanks";
  }
  if (text.size() > 4 * kKeyBytesMax) return "a key is at most 64 bytes";
  std::optional<std::string> key = FromHex(text);
  if (!key) key = FromBase64(text);
  if (!key) return "the key is neither hexadecimal nor base64";
  if (key->size() < kKeyBytesMin || key->size() > kKeyBytesMax) {
    return "a key is 16 to 64 bytes, this one is " + std::to_string(key->size());
  }
  if (!table->emplace(identity, std::move(*key)).second) {
    return "the identity '" + std::string(identity) + "' was there before";
  }
  return {};
}

}  // namespace

Result<PskTable> ParsePskFile(std::string_view text) {
  PskTable table;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = Trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    const std::string wrong = TakeLine(line, &table);
    if (!wrong.empty()) {
      return Error{ErrorCode::kConfig, "line " + std::to_string(number) + ": " + wrong};
    }
  }
  if (table.empty()) return Error{ErrorCode::kConfig, "there is no key in it"};
  return table;
}

}  // namespace collector
