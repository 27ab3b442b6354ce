#include "client/load/answer_reader.h"

#include <cstddef>
#include <cstring>

namespace collector::client {
namespace {

constexpr std::size_t kHeaderBytes = 4;
constexpr std::uint8_t kPayloadMarker = 0xFF;
constexpr std::size_t kMaxAge = 14;
constexpr std::size_t kEcho = 252;

// An option's delta or length: its nibble, and what of it follows in one or two bytes more.
std::optional<std::size_t> ReadExtended(unsigned nibble, std::span<const std::uint8_t>* rest) {
  if (nibble < 13) return nibble;
  const std::size_t more = nibble - 12U;  // 13: one byte, 14: two
  if (nibble == 15 || rest->size() < more) return std::nullopt;
  const std::size_t value =
      more == 1 ? 13U + (*rest)[0] : 269U + (std::size_t{(*rest)[0]} << 8 | (*rest)[1]);
  *rest = rest->subspan(more);
  return value;
}

// The first option of this number.
std::optional<std::span<const std::uint8_t>> FindOption(std::span<const std::uint8_t> bytes,
                                                        std::size_t wanted) {
  if (bytes.size() < kHeaderBytes) return std::nullopt;
  const std::size_t token_bytes = bytes[0] & 0x0F;
  if (bytes.size() < kHeaderBytes + token_bytes) return std::nullopt;
  std::span<const std::uint8_t> rest = bytes.subspan(kHeaderBytes + token_bytes);
  std::size_t number = 0;
  while (!rest.empty() && rest[0] != kPayloadMarker) {
    const unsigned first = rest[0];
    rest = rest.subspan(1);
    const auto delta = ReadExtended(first >> 4, &rest);
    const auto length = delta.has_value() ? ReadExtended(first & 0x0F, &rest) : std::nullopt;
    if (!length.has_value() || *length > rest.size()) return std::nullopt;
    number += *delta;
    if (number == wanted) return rest.first(*length);
    if (number > wanted) return std::nullopt;
    rest = rest.subspan(*length);
  }
  return std::nullopt;
}

}  // namespace

std::optional<AnswerHead> ReadAnswer(std::span<const std::uint8_t> bytes) {
  if (bytes.size() < kHeaderBytes || bytes[0] >> 6 != 1) return std::nullopt;
  AnswerHead head{.type = static_cast<MessageType>(bytes[0] >> 4 & 3),
                  .code = bytes[1],
                  .message_id = static_cast<std::uint16_t>(bytes[2] << 8 | bytes[3])};
  if ((bytes[0] & 0x0F) == 4 && bytes.size() >= kHeaderBytes + 4) {
    std::uint32_t token = 0;
    std::memcpy(&token, &bytes[kHeaderBytes], sizeof(token));
    head.token = token;
  }
  return head;
}

std::span<const std::uint8_t> ReadEcho(std::span<const std::uint8_t> bytes) {
  const auto echo = FindOption(bytes, kEcho);
  const bool valid = echo.has_value() && echo->size() <= kEchoBytesMax;
  return valid ? *echo : std::span<const std::uint8_t>();
}

std::optional<std::uint32_t> ReadMaxAge(std::span<const std::uint8_t> bytes) {
  const auto option = FindOption(bytes, kMaxAge);
  if (!option.has_value() || option->size() > 4) return std::nullopt;
  std::uint32_t value = 0;
  for (const std::uint8_t byte : *option) value = value << 8 | byte;
  return value;
}

}  // namespace collector::client
