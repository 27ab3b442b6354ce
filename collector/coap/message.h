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
  std::optional<std::uint16_t> content_format;
  std::optional<std::uint16_t> accept;
  std::uint16_t critical_unknown = 0;  // the first critical option that is not understood
  bool proxy = false;                  // Proxy-Uri or Proxy-Scheme is there
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

  struct PduFree {
    void operator()(coap_pdu_t* pdu) const;
  };
  std::unique_ptr<coap_pdu_t, PduFree> pdu_;  // reused: a message costs no allocation
  std::string path_;
};

struct AnswerHeader {
  MessageType type = MessageType::kAcknowledgement;
  std::uint16_t id = 0;
  Token token;
};

// Writes an answer; returns its bytes within `buffer`. A payload that would not fit is cut.
Bytes EncodeAnswer(const AnswerHeader& header, const Response& response,
                   std::span<std::uint8_t, kAnswerBytesMax> buffer);

}  // namespace collector
