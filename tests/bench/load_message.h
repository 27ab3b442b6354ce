// The request of the load generator: a confirmable POST of one JSON event to /events, made by
// patching digits into a template. It is laid out by hand from RFC 7252, not by libcoap, so that
// the collector is measured, and its answers are judged, by an independent witness.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bench {

inline constexpr std::string_view kEventText =
    R"({"namespace":"default","sender":"load","origin":"d000000",)"
    R"("payload":{"type":"temperature","value":00.0},"timestamp":"0000-00-00T00:00:00.000Z"})";
inline constexpr std::uint32_t kDevicesMax = 1'000'000;  // six digits of the origin

// Header, 4 bytes of token, Uri-Path "events", Content-Format 50, payload marker.
inline constexpr std::size_t kTokenAt = 4;
inline constexpr std::size_t kEventAt = 18;
inline constexpr std::size_t kRequestBytes = kEventAt + kEventText.size();
using RequestBytes = std::array<std::uint8_t, kRequestBytes>;

// Different readings have different values, so a device may report this often within one
// millisecond and still have no two events alike.
inline constexpr std::uint32_t kReadingsPerMillisecondMax = 900;

// What differs from one request to the next.
struct RequestFields {
  std::uint32_t device = 0;   // origin "d<device>", below kDevicesMax
  std::uint32_t reading = 0;  // the device's running number; the value is drawn from it
  std::uint32_t token = 0;
  std::uint16_t message_id = 0;
  std::string_view second;        // "2026-11-21T04:59:01", from TimestampText
  std::uint32_t millisecond = 0;  // 0 to 999
};

void InitRequest(RequestBytes* request);                                // once, then
void PatchRequest(const RequestFields& fields, RequestBytes* request);  // for every event

// Appends "d000017 2026-11-21T04:59:01.123Z 21.5\n": the event of a request, to be looked for in
// the store.
void AppendEventLine(const RequestBytes& request, std::string* out);

// Keeps the texts of the seconds around now, so that a calendar is asked once a second and not
// once an event. Seconds asked for must lie within a few of each other.
class TimestampText {
 public:
  std::string_view Second(std::int64_t unix_second);

 private:
  static constexpr std::size_t kKept = 16;
  struct Entry {
    std::int64_t unix_second = -1;
    std::array<char, 20> text{};
  };
  std::array<Entry, kKept> entries_;
};

}  // namespace bench
