// The records of an established DTLS 1.2 session (RFC 6347 section 4.1), under the keys that
// OpenSSL's handshake agreed on and with OpenSSL's ciphers: 200 bytes a session, where OpenSSL's
// own would keep 35 KiB. AEAD ciphers only: AES-GCM (RFC 5288), AES-CCM (RFC 6655),
// ChaCha20-Poly1305 (RFC 7905).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "collector/coap/datagram_sink.h"

struct evp_cipher_ctx_st;
struct ssl_st;

namespace collector {

// Of a record (RFC 5246 section 6.2.1).
enum class RecordType : std::uint8_t {
  kChangeCipherSpec = 20,
  kAlert = 21,
  kHandshake = 22,
  kApplicationData = 23
};

// As it came.
struct Record {
  RecordType type{};
  std::uint64_t number = 0;  // epoch, 16 bits, and sequence number, 48
  Bytes fragment;
  [[nodiscard]] unsigned epoch() const { return static_cast<unsigned>(number >> 48); }
};

// Takes the first record off `datagram`; nullopt, and nothing is left, where that holds none.
std::optional<Record> TakeRecord(Bytes* datagram);

constexpr std::size_t kRecordHeaderBytes = 13;
constexpr std::size_t kRecordContentBytesMax = 16'384;
// What a record is longer than its content, at most: header, explicit nonce, tag.
constexpr std::size_t kRecordExtraBytesMax = kRecordHeaderBytes + 8 + 16;

// What sessions have in common: a context of OpenSSL's for each cipher and direction, which takes
// each record's key. That costs less than fetching a context that is not in the cache.
class RecordCiphers {
 public:
  RecordCiphers();
  ~RecordCiphers();
  RecordCiphers(const RecordCiphers&) = delete;
  RecordCiphers& operator=(const RecordCiphers&) = delete;

 private:
  friend class DtlsRecords;
  struct Free {
    void operator()(evp_cipher_ctx_st* context) const;
  };
  using Context = std::unique_ptr<evp_cipher_ctx_st, Free>;
  std::vector<std::array<Context, 2>> contexts_;  // that opens, that seals
};

// One session's, of a server.
class DtlsRecords {
 public:
  // `tls` has just completed its handshake; `last_flight` is what it sent then.
  DtlsRecords(ssl_st* tls, Bytes last_flight);
  ~DtlsRecords();
  DtlsRecords(const DtlsRecords&) = delete;
  DtlsRecords& operator=(const DtlsRecords&) = delete;

  // The content of a record of the peer's, in `room`; nullopt if it was not made with these keys,
  // was changed on its way, is here for the second time or too old to tell, is longer than `room`,
  // or empty.
  std::optional<Bytes> Open(RecordCiphers* ciphers, const Record& record,
                            std::span<std::uint8_t> room);

  // A datagram of one record, in `room`, which has kRecordExtraBytesMax more than `content`, not
  // empty; nullopt if the peer takes no records of this length, or all numbers are used up.
  std::optional<Bytes> Seal(RecordCiphers* ciphers, RecordType type, Bytes content,
                            std::span<std::uint8_t> room);

 private:
  using Nonce = std::array<std::uint8_t, 12>;
  struct Direction {
    std::array<std::uint8_t, 32> key{};
    Nonce iv{};  // of the nonce, what no record carries
  };

  [[nodiscard]] Nonce NonceOf(const Direction& direction, std::uint64_t number) const;
  [[nodiscard]] bool IsNew(std::uint64_t sequence) const;
  void Remember(std::uint64_t sequence);

  std::uint8_t cipher_ = 0;
  std::uint16_t content_bytes_max_ = 0;
  Direction opening_;
  Direction sealing_;
  // Of the next record sealed: OpenSSL's are counted on, so that no nonce comes twice.
  std::uint64_t number_ = 0;  // epoch and sequence number
  std::uint64_t explicit_nonce_ = 0;
  std::uint64_t newest_ = 0;  // sequence number of the newest record opened
  std::uint64_t opened_ = 0;  // that one, and which of the 63 before it (RFC 6347 section 4.1.2.6)
};

}  // namespace collector
