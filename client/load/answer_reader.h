// What a simulated device reads of a datagram that comes back: RFC 7252 section 3, by hand, so that
// the collector's answers are judged by an independent witness.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace collector::client {

inline constexpr std::size_t kEchoBytesMax = 40;  // RFC 9175 section 2.2.1

enum class MessageType : std::uint8_t { kConfirmable, kNonConfirmable, kAcknowledgement, kReset };

struct AnswerHead {
  MessageType type = MessageType::kConfirmable;
  std::uint8_t code = 0;  // 0x41 is 2.01; 0: an empty message
  std::uint16_t message_id = 0;
  std::optional<std::uint32_t> token{};  // where it has four bytes, as ours have
};

// Nothing: not a CoAP message.
std::optional<AnswerHead> ReadAnswer(std::span<const std::uint8_t> bytes);

// The option Echo of a 4.01, which the request must bring back (RFC 9175); empty: none.
std::span<const std::uint8_t> ReadEcho(std::span<const std::uint8_t> bytes);

// The option Max-Age, where there is one and it can be read.
std::optional<std::uint32_t> ReadMaxAge(std::span<const std::uint8_t> bytes);

}  // namespace collector::client
