#include "event/event_id.h"

#include <openssl/evp.h>

#include <algorithm>

#include "collector/base/check.h"

namespace collector {
namespace {

template <typename Unsigned>
void AppendBigEndian(Unsigned number, std::string* out) {
  std::array<char, sizeof(number)> bytes{};
  for (std::size_t i = sizeof(number); i-- > 0; number >>= 8) {
    bytes[i] = static_cast<char>(static_cast<std::uint8_t>(number));
  }
  out->append(bytes.data(), bytes.size());
}

// Length first, so that no two lists of fields can make the same bytes.
void AppendField(std::string_view field, std::string* out) {
  AppendBigEndian(static_cast<std::uint32_t>(field.size()), out);
  out->append(field);
}

}  // namespace

std::string ToHex(const EventId& id) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(id.size() * 2);
  for (const std::uint8_t byte : id) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 0x0f]);
  }
  return text;
}

void EventIdHasher::MdFree::operator()(evp_md_st* md) const { EVP_MD_free(md); }
void EventIdHasher::MdFree::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

EventIdHasher::EventIdHasher()
    : sha256_(EVP_MD_fetch(nullptr, "SHA256", nullptr)), context_(EVP_MD_CTX_new()) {
  CHECK(sha256_ != nullptr);
  CHECK(context_ != nullptr);
}

EventIdHasher::~EventIdHasher() = default;

EventId EventIdHasher::Hash(const Event& event, std::string_view payload_json,
                            std::int64_t timestamp_ns, std::uint64_t exchange,
                            std::uint32_t index) {
  canonical_.clear();
  AppendField(event.name_space, &canonical_);
  AppendField(event.sender, &canonical_);
  AppendField(event.origin, &canonical_);
  AppendField(payload_json, &canonical_);
  AppendField(event.client_id, &canonical_);
  AppendBigEndian(static_cast<std::uint64_t>(timestamp_ns), &canonical_);
  AppendBigEndian(exchange, &canonical_);
  // The first of many has the id that it would have alone.
  if (index > 0) AppendBigEndian(index, &canonical_);

  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int digest_bytes = 0;
  CHECK(EVP_DigestInit_ex(context_.get(), sha256_.get(), nullptr) == 1);
  CHECK(EVP_DigestUpdate(context_.get(), canonical_.data(), canonical_.size()) == 1);
  CHECK(EVP_DigestFinal_ex(context_.get(), digest.data(), &digest_bytes) == 1);

  EventId id{};
  const auto milliseconds = static_cast<std::uint64_t>(timestamp_ns / 1'000'000);
  for (std::size_t i = 0; i < 6; ++i) {
    id[i] = static_cast<std::uint8_t>(milliseconds >> (8 * (5 - i)));
  }
  std::copy_n(digest.begin(), id.size() - 6, id.begin() + 6);
  return id;
}

}  // namespace collector
