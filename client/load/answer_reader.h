// What a simulated device reads of a datagram that comes back: RFC 7252 section 3, by hand, so that
// the collector's answers are judged by an independent witness.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace collector::client {

enum class MessageType : std::uint8_t { kConfirmable, kNonConfirmable, kAcknowledgement, kReset };

struct AnswerHead {
  MessageType type = MessageType::kConfirmable;
  std::uint8_t code = 0;  // 0x41 is 2.01; 0: an empty message
  std::uint16_t message_id = 0;
  std::optional<std::uint32_t> token{};  // where it has four bytes, as ours have
};

// Nothing: not a CoAP message.
std::optional<AnswerHead> ReadAnswer(std::span<const std::uint8_t> bytes);

// The option Max-Age, where there is one and it can be read.
std::optional<std::uint32_t> ReadMaxAge(std::span<const std::uint8_t> bytes);

}  // namespace collector::client
