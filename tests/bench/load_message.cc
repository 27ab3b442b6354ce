#include "tests/bench/load_message.h"

#include <cstring>
#include <ctime>

namespace bench {
namespace {

constexpr std::size_t At(std::string_view before, std::size_t skip) {
  return kEventAt + kEventText.find(before) + skip;
}
constexpr std::size_t kOriginAt = At("d000000", 1);
constexpr std::size_t kValueAt = At("00.0", 0);
constexpr std::size_t kTimestampAt = At("0000-00", 0);
constexpr std::size_t kSecondBytes = 19;
constexpr std::size_t kTimestampBytes = 24;

constexpr std::array<std::uint8_t, kEventAt> kHead = {
    0x44, 0x02, 0,   0,                   // version 1, CON, 4 bytes of token; POST; id
    0,    0,    0,   0,                   // token
    0xB6, 'e',  'v', 'e', 'n', 't', 's',  // Uri-Path (11), 6 bytes
    0x11, 50,                             // Content-Format (12), JSON
    0xFF};                                // payload follows

void PutTwo(std::uint32_t value, std::uint8_t* out) {
  static constexpr char kDigits[] =
      "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
      "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
      "8081828384858687888990919293949596979899";
  std::memcpy(out, kDigits + std::size_t{2} * value, 2);
}

std::uint8_t Digit(std::uint32_t value) { return static_cast<std::uint8_t>('0' + value); }

}  // namespace

void InitRequest(RequestBytes* request) {
  std::memcpy(request->data(), kHead.data(), kHead.size());
  std::memcpy(request->data() + kEventAt, kEventText.data(), kEventText.size());
}

void PatchRequest(const RequestFields& fields, RequestBytes* request) {
  std::uint8_t* const out = request->data();
  out[2] = static_cast<std::uint8_t>(fields.message_id >> 8);
  out[3] = static_cast<std::uint8_t>(fields.message_id & 0xFF);
  std::memcpy(out + kTokenAt, &fields.token, sizeof(fields.token));
  PutTwo(fields.device / 10'000, out + kOriginAt);
  PutTwo(fields.device / 100 % 100, out + kOriginAt + 2);
  PutTwo(fields.device % 100, out + kOriginAt + 4);
  const std::uint32_t tenths = 100 + fields.reading;  // 10.0 to 99.9
  PutTwo(tenths / 10, out + kValueAt);
  out[kValueAt + 3] = Digit(tenths % 10);
  std::memcpy(out + kTimestampAt, fields.second.data(), kSecondBytes);
  PutTwo(fields.millisecond / 10, out + kTimestampAt + 20);
  out[kTimestampAt + 22] = Digit(fields.millisecond % 10);
}

void AppendEventLine(const RequestBytes& request, std::string* out) {
  const char* const text = reinterpret_cast<const char*>(request.data());
  out->append(text + kOriginAt - 1, 7).push_back(' ');
  out->append(text + kTimestampAt, kTimestampBytes).push_back(' ');
  out->append(text + kValueAt, 4).push_back('\n');
}

std::string_view TimestampText::Second(std::int64_t unix_second) {
  Entry& entry = entries_[static_cast<std::size_t>(unix_second) % kKept];
  if (entry.unix_second != unix_second) {
    const std::time_t time = unix_second;
    std::tm utc{};
    gmtime_r(&time, &utc);
    std::strftime(entry.text.data(), entry.text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
    entry.unix_second = unix_second;
  }
  return {entry.text.data(), kSecondBytes};
}

}  // namespace bench
