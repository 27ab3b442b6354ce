#include "collector/coap/dtls_records.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "collector/base/check.h"

namespace collector {
namespace {

struct Cipher {
  const char* name;  // OpenSSL's
  int nid;
  std::size_t key_bytes;
  std::size_t iv_bytes;  // what the handshake gives; the nonce's other bytes come with each record
  std::size_t tag_bytes;
  bool is_ccm = false;
};
constexpr std::array kCiphers = {
    Cipher{"AES-128-GCM", NID_aes_128_gcm, 16, 4, 16},
    Cipher{"AES-256-GCM", NID_aes_256_gcm, 32, 4, 16},
    Cipher{"AES-128-CCM", NID_aes_128_ccm, 16, 4, 16, true},
    Cipher{"AES-128-CCM", NID_aes_128_ccm, 16, 4, 8, true},
    Cipher{"ChaCha20-Poly1305", NID_chacha20_poly1305, 32, 12, 16},
};

constexpr std::uint8_t kMajor = 254, kMinor = 253;  // DTLS 1.2
constexpr unsigned kEpoch = 1;                      // there is no renegotiation
constexpr std::uint64_t kSequences = std::uint64_t{1} << 48;
constexpr std::uint64_t kWindow = 64;
constexpr std::size_t kNumberBytes = 8;

std::uint64_t NumberAt(const std::uint8_t* bytes, std::size_t count) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < count; ++i) number = number << 8 | bytes[i];
  return number;
}

void PutNumber(std::uint64_t number, std::size_t count, std::uint8_t* bytes) {
  for (std::size_t i = count; i-- > 0; number >>= 8) bytes[i] = static_cast<std::uint8_t>(number);
}

// What a record's tag covers beside its content (RFC 5246 section 6.2.3.3).
using AdditionalData = std::array<std::uint8_t, 13>;
AdditionalData AdditionalDataOf(std::uint64_t number, RecordType type, std::size_t content_bytes) {
  AdditionalData data{};
  PutNumber(number, kNumberBytes, data.data());
  data[8] = static_cast<std::uint8_t>(type);
  data[9] = kMajor;
  data[10] = kMinor;
  PutNumber(content_bytes, 2, data.data() + 11);
  return data;
}

std::size_t ExplicitBytesOf(const Cipher& cipher) { return 12 - cipher.iv_bytes; }

std::size_t IndexOf(const SSL_CIPHER* of) {
  const std::string_view name = SSL_CIPHER_standard_name(of);
  const std::size_t tag_bytes = name.ends_with("CCM_8") ? 8 : 16;
  const auto found = std::find_if(kCiphers.begin(), kCiphers.end(), [&](const Cipher& cipher) {
    return cipher.nid == SSL_CIPHER_get_cipher_nid(of) && cipher.tag_bytes == tag_bytes;
  });
  CHECK(found != kCiphers.end());  // tls_context allows no other one
  return static_cast<std::size_t>(found - kCiphers.begin());
}

// RFC 5246 section 6.3.
std::vector<std::uint8_t> KeysOf(const SSL* tls, std::size_t bytes) {
  std::array<std::uint8_t, SSL_MAX_MASTER_KEY_LENGTH> secret{};
  const std::size_t secret_bytes =
      SSL_SESSION_get_master_key(SSL_get_session(tls), secret.data(), secret.size());
  std::string_view label = "key expansion";
  std::vector<std::uint8_t> seed(label.begin(), label.end());
  seed.resize(label.size() + 2 * std::size_t{SSL3_RANDOM_SIZE});
  SSL_get_server_random(tls, seed.data() + label.size(), SSL3_RANDOM_SIZE);
  SSL_get_client_random(tls, seed.data() + label.size() + SSL3_RANDOM_SIZE, SSL3_RANDOM_SIZE);

  const EVP_MD* hash = SSL_CIPHER_get_handshake_digest(SSL_get_current_cipher(tls));
  const std::unique_ptr<EVP_KDF, decltype(&EVP_KDF_free)> prf(
      EVP_KDF_fetch(nullptr, OSSL_KDF_NAME_TLS1_PRF, nullptr), &EVP_KDF_free);
  const std::unique_ptr<EVP_KDF_CTX, decltype(&EVP_KDF_CTX_free)> context(
      EVP_KDF_CTX_new(prf.get()), &EVP_KDF_CTX_free);
  const std::array parameters = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
                                       const_cast<char*>(EVP_MD_get0_name(hash)), 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, secret.data(), secret_bytes),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, seed.data(), seed.size()),
      OSSL_PARAM_construct_end()};
  std::vector<std::uint8_t> keys(bytes);
  CHECK(EVP_KDF_derive(context.get(), keys.data(), keys.size(), parameters.data()) == 1);
  OPENSSL_cleanse(secret.data(), secret.size());
  return keys;
}

}  // namespace

std::optional<Record> TakeRecord(Bytes* datagram) {
  const Bytes bytes = std::exchange(*datagram, {});
  if (bytes.size() < kRecordHeaderBytes || bytes[1] != kMajor || bytes[2] != kMinor) return {};
  const std::size_t length = NumberAt(bytes.data() + 11, 2);
  if (bytes.size() - kRecordHeaderBytes < length) return {};
  *datagram = bytes.subspan(kRecordHeaderBytes + length);
  return Record{.type = RecordType{bytes[0]},
                .number = NumberAt(bytes.data() + 3, kNumberBytes),
                .fragment = bytes.subspan(kRecordHeaderBytes, length)};
}

void RecordCiphers::Free::operator()(EVP_CIPHER_CTX* context) const {
  EVP_CIPHER_CTX_free(context);
}

RecordCiphers::RecordCiphers() {
  for (const Cipher& cipher : kCiphers) {
    std::array<Context, 2>& both = contexts_.emplace_back();
    const std::unique_ptr<EVP_CIPHER, decltype(&EVP_CIPHER_free)> implementation(
        EVP_CIPHER_fetch(nullptr, cipher.name, nullptr), &EVP_CIPHER_free);
    // FIPS has no ChaCha20; then no handshake agrees on it either.
    if (implementation == nullptr) continue;
    for (const int sealing : {0, 1}) {
      EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
      both[static_cast<std::size_t>(sealing)].reset(context);
      CHECK(EVP_CipherInit_ex2(context, implementation.get(), nullptr, nullptr, sealing, nullptr));
      CHECK(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_IVLEN, 12, nullptr) == 1);
      if (!cipher.is_ccm) continue;
      CHECK(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, static_cast<int>(cipher.tag_bytes),
                                nullptr) == 1);
    }
  }
}

RecordCiphers::~RecordCiphers() = default;

DtlsRecords::DtlsRecords(SSL* tls, Bytes last_flight)
    : cipher_(static_cast<std::uint8_t>(IndexOf(SSL_get_current_cipher(tls)))) {
  const Cipher& cipher = kCiphers[cipher_];
  std::vector<std::uint8_t> keys = KeysOf(tls, 2 * (cipher.key_bytes + cipher.iv_bytes));
  const std::uint8_t* next = keys.data();
  for (Direction* direction : {&opening_, &sealing_}) {
    std::copy_n(next, cipher.key_bytes, direction->key.data());
    next += cipher.key_bytes;
  }
  for (Direction* direction : {&opening_, &sealing_}) {
    std::copy_n(next, cipher.iv_bytes, direction->iv.data());
    next += cipher.iv_bytes;
  }
  OPENSSL_cleanse(keys.data(), keys.size());

  while (const auto record = TakeRecord(&last_flight)) {
    if (record->epoch() != kEpoch) continue;
    number_ = record->number + 1;
    CHECK(record->fragment.size() > kNumberBytes);
    explicit_nonce_ = NumberAt(record->fragment.data(), kNumberBytes) + 1;
  }
  CHECK(number_ != 0);

  // RFC 6066 section 4: 1 is 512 bytes, each next one twice as many.
  const unsigned asked = SSL_SESSION_get_max_fragment_length(SSL_get_session(tls));
  content_bytes_max_ =
      static_cast<std::uint16_t>(asked == 0 ? kRecordContentBytesMax : std::size_t{256} << asked);
}

DtlsRecords::~DtlsRecords() {
  OPENSSL_cleanse(&opening_, sizeof(opening_));
  OPENSSL_cleanse(&sealing_, sizeof(sealing_));
}

// `number`: the record's explicit nonce, or its epoch and sequence number with ChaCha20.
DtlsRecords::Nonce DtlsRecords::NonceOf(const Direction& direction, std::uint64_t number) const {
  Nonce nonce{};
  PutNumber(number, kNumberBytes, nonce.data() + 4);
  for (std::size_t i = 0; i < kCiphers[cipher_].iv_bytes; ++i) nonce[i] ^= direction.iv[i];
  return nonce;
}

std::optional<Bytes> DtlsRecords::Open(RecordCiphers* ciphers, const Record& record,
                                       std::span<std::uint8_t> room) {
  const Cipher& cipher = kCiphers[cipher_];
  const std::size_t explicit_bytes = ExplicitBytesOf(cipher);
  const std::size_t extra_bytes = explicit_bytes + cipher.tag_bytes;
  // One without content says nothing, and CCM's tag would not be looked at.
  if (record.epoch() != kEpoch || record.fragment.size() <= extra_bytes) return {};
  const std::size_t bytes = record.fragment.size() - extra_bytes;
  if (bytes > room.size() || !IsNew(record.number % kSequences)) return {};

  const Nonce nonce =
      NonceOf(opening_,
              explicit_bytes == 0 ? record.number : NumberAt(record.fragment.data(), kNumberBytes));
  const AdditionalData additional = AdditionalDataOf(record.number, record.type, bytes);
  const std::uint8_t* sealed = record.fragment.data() + explicit_bytes;
  auto* tag = const_cast<std::uint8_t*>(sealed + bytes);  // it is read only
  EVP_CIPHER_CTX* context = ciphers->contexts_[cipher_][0].get();
  int count = 0;
  const bool opened =
      EVP_DecryptInit_ex(context, nullptr, nullptr, opening_.key.data(), nonce.data()) == 1 &&
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, static_cast<int>(cipher.tag_bytes),
                          tag) == 1 &&
      (!cipher.is_ccm ||
       EVP_DecryptUpdate(context, nullptr, &count, nullptr, static_cast<int>(bytes)) == 1) &&
      EVP_DecryptUpdate(context, nullptr, &count, additional.data(), additional.size()) == 1 &&
      EVP_DecryptUpdate(context, room.data(), &count, sealed, static_cast<int>(bytes)) == 1 &&
      (cipher.is_ccm || EVP_DecryptFinal_ex(context, room.data() + bytes, &count) == 1);
  if (!opened) {
    ERR_clear_error();
    return {};
  }
  Remember(record.number % kSequences);
  return room.first(bytes);
}

std::optional<Bytes> DtlsRecords::Seal(RecordCiphers* ciphers, RecordType type, Bytes content,
                                       std::span<std::uint8_t> room) {
  const Cipher& cipher = kCiphers[cipher_];
  const std::size_t explicit_bytes = ExplicitBytesOf(cipher);
  const std::size_t bytes = content.size() + explicit_bytes + cipher.tag_bytes;
  CHECK(!content.empty() && room.size() >= kRecordHeaderBytes + bytes);
  if (content.size() > content_bytes_max_ || number_ % kSequences == kSequences - 1) return {};

  AdditionalData additional = AdditionalDataOf(number_, type, content.size());
  const Nonce nonce = NonceOf(sealing_, explicit_bytes == 0 ? number_ : explicit_nonce_);
  std::uint8_t* header = room.data();
  header[0] = static_cast<std::uint8_t>(type);
  header[1] = kMajor;
  header[2] = kMinor;
  PutNumber(number_, kNumberBytes, header + 3);
  PutNumber(bytes, 2, header + 11);
  std::uint8_t* sealed = header + kRecordHeaderBytes;
  if (explicit_bytes != 0) PutNumber(explicit_nonce_, kNumberBytes, sealed);
  sealed += explicit_bytes;
  ++number_;
  ++explicit_nonce_;

  EVP_CIPHER_CTX* context = ciphers->contexts_[cipher_][1].get();
  const int length = static_cast<int>(content.size());
  int count = 0;
  CHECK(EVP_EncryptInit_ex(context, nullptr, nullptr, sealing_.key.data(), nonce.data()) == 1);
  if (cipher.is_ccm) {
    CHECK(EVP_EncryptUpdate(context, nullptr, &count, nullptr, length) == 1);
  }
  CHECK(EVP_EncryptUpdate(context, nullptr, &count, additional.data(), additional.size()) == 1);
  CHECK(EVP_EncryptUpdate(context, sealed, &count, content.data(), length) == 1);
  CHECK(EVP_EncryptFinal_ex(context, sealed + content.size(), &count) == 1);
  CHECK(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, static_cast<int>(cipher.tag_bytes),
                            sealed + content.size()) == 1);
  return room.first(kRecordHeaderBytes + bytes);
}

bool DtlsRecords::IsNew(std::uint64_t sequence) const {
  if (sequence > newest_) return true;
  const std::uint64_t before = newest_ - sequence;
  return before < kWindow && (opened_ >> before & 1) == 0;
}

void DtlsRecords::Remember(std::uint64_t sequence) {
  if (sequence > newest_) {
    const std::uint64_t further = sequence - newest_;
    opened_ = further < kWindow ? opened_ << further : 0;
    newest_ = sequence;
  }
  opened_ |= std::uint64_t{1} << (newest_ - sequence);
}

}  // namespace collector
