// The requests of the simulated devices: POSTs of one JSON event to /events, made by patching
// digits into a template. They are laid out by hand from RFC 7252, not by libcoap: one costs a copy
// of its 190 bytes, and the collector is judged by an independent witness.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "collector/base/result.h"

namespace collector::client {

inline constexpr std::uint32_t kDevicesMax = 1'000'000;  // six digits of the origin
inline constexpr std::size_t kValuesMax = 1'000;
inline constexpr std::size_t kTokenAt = 4;  // 4 bytes of token behind the header

// What all events of a load have in common.
struct EventShape {
  std::string name_space = "default";
  std::string sender = "load";
  std::string origin_prefix = "d";  // device 17 is "d000017"
  std::string type = "temperature";
  // JSON texts, at most kValuesMax; a device reports one after the other.
  std::vector<std::string> values = {};
};

// What differs from one request to the next. No two events of a device have the same time.
struct RequestFields {
  std::uint32_t device = 0;
  std::uint32_t value = 0;   // index into the shape's values
  std::int64_t time_us = 0;  // since 1970
  bool confirmable = true;
};

// Keeps the texts of the seconds around now, so that a calendar is asked once a second and not
// once an event. Seconds asked for should lie within a few of each other.
class SecondTexts {
 public:
  std::string_view Of(std::int64_t unix_second);  // "2026-11-21T04:59:01"

 private:
  static constexpr std::size_t kKept = 16;
  struct Entry {
    std::int64_t unix_second = -1;
    std::array<char, 20> text{};
  };
  std::array<Entry, kKept> entries_;
};

class RequestMaker {
 public:
  // Errors: an event that does not fit into a datagram (RFC 7252 section 4.6 recommends at most
  // 1152 bytes), no value.
  static Result<RequestMaker> Create(EventShape shape);

  // Of a request with the longest Echo there may be.
  [[nodiscard]] std::size_t bytes_max() const { return bytes_max_; }
  [[nodiscard]] const EventShape& shape() const { return shape_; }

  // Writes a whole request, without its token and message id, to `out` of at least bytes_max()
  // bytes. Returns its size.
  std::size_t Make(const RequestFields& fields, std::uint8_t* out);

  [[nodiscard]] std::string OriginOf(std::uint32_t device) const;

 private:
  explicit RequestMaker(EventShape shape) : shape_(std::move(shape)) {}

  EventShape shape_;
  std::string bytes_;  // a request up to its value
  std::size_t origin_at_ = 0;
  std::size_t time_at_ = 0;
  std::size_t bytes_max_ = 0;
  SecondTexts seconds_;
};

// Stamps a new exchange's token and message id onto a request.
void StampExchange(std::uint32_t token, std::uint16_t message_id, std::uint8_t* request);

// Puts an Echo option into a request that has none, of so many bytes. Returns how many it has then.
std::size_t InsertEcho(std::span<const std::uint8_t> echo, std::uint8_t* request,
                       std::size_t bytes);

// 10.0 to 99.9: what devices report unless told otherwise.
std::vector<std::string> Readings();

}  // namespace collector::client
