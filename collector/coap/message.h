// CoAP's bytes, by libcoap's codec: one of the few files that include it. Datagram to Message,
// answer to datagram (RFC 7252 section 3).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "collector/coap/datagram_sink.h"
#include "collector/middleware/request.h"

struct coap_pdu_t;
using coap_opt_t = std::uint8_t;  // as libcoap has it

namespace collector {

// RFC 7252 section 4.6: an answer is never larger, so that it is not fragmented on its way.
inline constexpr std::size_t kAnswerBytesMax = 1152;

enum class MessageType : std::uint8_t { kConfirmable, kNonConfirmable, kAcknowledgement, kReset };

struct Token {
  std::array<std::uint8_t, 8> bytes{};
  std::uint8_t size = 0;
};

// A message as it came. Its views live until the next Parse of the same parser.
struct Message {
  MessageType type = MessageType::kConfirmable;
  std::uint8_t code = 0;
  std::uint16_t id = 0;
  Token token;
  std::string_view path;
  std::string_view query;
  Bytes echo;                    // of one Echo option as it may be (RFC 9175); else empty
  std::string_view request_tag;  // all Request-Tag options, each after its length
  std::optional<std::uint16_t> content_format;
  std::optional<std::uint16_t> accept;
  std::optional<Block> block1;
  std::optional<Block> block2;
  std::optional<std::uint32_t> size1;
  std::uint16_t critical_unknown = 0;  // the first critical option that is not understood
  bool proxy = false;                  // Proxy-Uri or Proxy-Scheme is there
  bool conditional = false;            // If-Match or If-None-Match is there
  bool block_malformed = false;        // Block1 or Block2 has the reserved size
  bool size2_wanted = false;
  std::uint8_t no_response = 0;  // RFC 7967: bit n - 1 set: no answer of class n is wanted
  std::string_view payload;
};

class MessageParser {
 public:
  MessageParser();
  ~MessageParser();
  MessageParser(const MessageParser&) = delete;
  MessageParser& operator=(const MessageParser&) = delete;

  // False for what is no CoAP message: a wrong version, a format error (RFC 7252 section 3).
  bool Parse(Bytes datagram, Message* message);

 private:
  void ReadOptions(Message* message);
  bool ReadOption(std::uint16_t number, const coap_opt_t* option, Message* message);

  struct PduFree {
    void operator()(coap_pdu_t* pdu) const;
  };
  std::unique_ptr<coap_pdu_t, PduFree> pdu_;  // reused: a message costs no allocation
  std::string path_;
  std::string query_;
  std::string request_tag_;
};

struct AnswerHeader {
  MessageType type = MessageType::kAcknowledgement;
  std::uint16_t id = 0;
  Token token;
};

// What block-wise transfer (RFC 7959) and Echo (RFC 9175) add to an answer.
struct BlockOptions {
  std::optional<std::uint32_t> etag;  // which body the block is of
  std::optional<Block> block2;
  std::optional<Block> block1;
  std::optional<std::uint32_t> size2;
  Bytes echo;
};

// Writes an answer; returns its bytes within `buffer`. A payload that would not fit is cut.
Bytes EncodeAnswer(const AnswerHeader& header, const Response& response, const BlockOptions& blocks,
                   std::span<std::uint8_t, kAnswerBytesMax> buffer);

}  // namespace collector
