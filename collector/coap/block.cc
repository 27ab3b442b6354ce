#include "collector/coap/block.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

namespace collector {
namespace {

constexpr std::size_t kDiagnosticBytesMax = 64;
constexpr std::uint8_t kSizeExponentMax = 6;

// What stands before a payload at most: header and token 12, Content-Format 3, Max-Age 5, Size1 5,
// the marker 1.
constexpr std::size_t kOverheadBytes = 26;
constexpr std::size_t kBlockOverheadBytes = kOverheadBytes + 5 + 4 + 5;  // ETag, Block2, Size2

// Not within a character.
void CutText(std::size_t bytes_max, std::string* text) {
  if (text->size() <= bytes_max) return;
  while (bytes_max > 0 && (static_cast<unsigned char>((*text)[bytes_max]) & 0xc0) == 0x80) {
    --bytes_max;
  }
  text->resize(bytes_max);
}

}  // namespace

std::size_t AnswerBytesMax(bool verified, std::size_t request_bytes) {
  if (verified) return kAnswerBytesMax;
  return std::clamp(3 * request_bytes, kUnverifiedAnswerBytesMax, kAnswerBytesMax);
}

BlockOptions CutToBlock(const std::optional<Block>& wanted, bool size2_wanted,
                        std::size_t answer_bytes_max, Response* response) {
  std::string& payload = response->payload;
  if (ClassOf(response->code) != 2 && !response->content_format) {
    CutText(kDiagnosticBytesMax, &payload);
  }
  if (response->code != Code::kContent) return {};
  const std::size_t whole_bytes = payload.size();
  BlockOptions options;
  if (size2_wanted) options.size2 = static_cast<std::uint32_t>(whole_bytes);
  if (!wanted && whole_bytes + kOverheadBytes <= answer_bytes_max) return options;

  Block block{.size_exponent = kSizeExponentMax};
  if (wanted) block = {.number = wanted->number, .size_exponent = wanted->size_exponent};
  const std::size_t offset = block.offset();
  // A smaller size than asked for begins at the same byte.
  while (block.size_exponent > 0 && block.bytes() + kBlockOverheadBytes > answer_bytes_max) {
    --block.size_exponent;
    block.number *= 2;
  }
  if (offset > 0 && offset >= whole_bytes) {
    *response = Response::Diagnostic(Code::kBadRequest, "there is no such block");
    return {};
  }
  options.etag = static_cast<std::uint32_t>(XXH3_64bits(payload.data(), payload.size()));
  payload = payload.substr(offset, block.bytes());
  block.more = offset + payload.size() < whole_bytes;
  options.block2 = block;
  return options;
}

}  // namespace collector
