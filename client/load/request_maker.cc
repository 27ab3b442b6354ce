#include "client/load/request_maker.h"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <utility>

#include "client/load/answer_reader.h"
#include "event/event_json.h"

namespace collector::client {
namespace {

constexpr std::size_t kDatagramBytesMax = 1152;
constexpr std::size_t kSecondBytes = 19;
constexpr std::size_t kDeviceDigits = 6;
constexpr std::int64_t kUsPerSecond = 1'000'000;
constexpr std::uint8_t kConfirmable = 0x44;  // version 1, 4 bytes of token
constexpr std::uint8_t kNonConfirmable = 0x54;

constexpr std::array<std::uint8_t, 18> kHead = {kConfirmable,
                                                0x02,
                                                0,
                                                0,  // POST; message id
                                                0,
                                                0,
                                                0,
                                                0,  // token
                                                0xB6,
                                                'e',
                                                'v',
                                                'e',
                                                'n',
                                                't',
                                                's',  // Uri-Path (11), 6 bytes
                                                0x11,
                                                50,     // Content-Format (12), JSON
                                                0xFF};  // payload follows
constexpr std::string_view kTail = "}}";
constexpr std::size_t kMarkerAt = kHead.size() - 1;
constexpr std::size_t kEchoHeadBytesMax = 3;

void PutTwo(std::uint32_t value, std::uint8_t* out) {
  static constexpr char kDigits[] =
      "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
      "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
      "8081828384858687888990919293949596979899";
  std::memcpy(out, kDigits + std::size_t{2} * value, 2);
}

// Below a million.
void PutSix(std::uint32_t value, std::uint8_t* out) {
  PutTwo(value / 10'000, out);
  PutTwo(value / 100 % 100, out + 2);
  PutTwo(value % 100, out + 4);
}

}  // namespace

std::string_view SecondTexts::Of(std::int64_t unix_second) {
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

Result<RequestMaker> RequestMaker::Create(EventShape shape) {
  if (shape.values.empty() || shape.values.size() > kValuesMax) {
    return Error{ErrorCode::kInvalid, "a load needs 1 to 1000 values"};
  }
  RequestMaker maker(std::move(shape));
  const EventShape& all = maker.shape_;
  std::string& bytes = maker.bytes_;
  bytes.assign(kHead.begin(), kHead.end());
  bytes += R"({"namespace":)";
  AppendJsonText(all.name_space, &bytes);
  bytes += R"(,"sender":)";
  AppendJsonText(all.sender, &bytes);
  bytes += R"(,"origin":)";
  AppendJsonText(maker.OriginOf(0), &bytes);
  maker.origin_at_ = bytes.size() - kDeviceDigits - 1;
  bytes += R"(,"timestamp":")";
  maker.time_at_ = bytes.size();
  bytes += R"(0000-00-00T00:00:00.000000Z","payload":{"type":)";
  AppendJsonText(all.type, &bytes);
  bytes += R"(,"value":)";
  const auto longest = std::max_element(
      all.values.begin(), all.values.end(),
      [](const std::string& a, const std::string& b) { return a.size() < b.size(); });
  maker.bytes_max_ = bytes.size() + longest->size() + kTail.size();
  if (maker.bytes_max_ > kDatagramBytesMax) {
    return Error{ErrorCode::kInvalid, "an event of " + std::to_string(maker.bytes_max_) +
                                          " bytes fits into no datagram of " +
                                          std::to_string(kDatagramBytesMax)};
  }
  maker.bytes_max_ += kEchoHeadBytesMax + kEchoBytesMax;
  return maker;
}

std::size_t RequestMaker::Make(const RequestFields& fields, std::uint8_t* out) {
  std::memcpy(out, bytes_.data(), bytes_.size());
  out[0] = fields.confirmable ? kConfirmable : kNonConfirmable;
  PutSix(fields.device, out + origin_at_);
  const std::string_view second = seconds_.Of(fields.time_us / kUsPerSecond);
  std::memcpy(out + time_at_, second.data(), kSecondBytes);
  PutSix(static_cast<std::uint32_t>(fields.time_us % kUsPerSecond),
         out + time_at_ + kSecondBytes + 1);
  const std::string& value = shape_.values[fields.value];
  std::memcpy(out + bytes_.size(), value.data(), value.size());
  std::memcpy(out + bytes_.size() + value.size(), kTail.data(), kTail.size());
  return bytes_.size() + value.size() + kTail.size();
}

std::string RequestMaker::OriginOf(std::uint32_t device) const {
  std::array<std::uint8_t, kDeviceDigits> digits{};
  PutSix(device, digits.data());
  return shape_.origin_prefix + std::string(digits.begin(), digits.end());
}

void StampExchange(std::uint32_t token, std::uint16_t message_id, std::uint8_t* request) {
  request[2] = static_cast<std::uint8_t>(message_id >> 8);
  request[3] = static_cast<std::uint8_t>(message_id & 0xFF);
  std::memcpy(request + kTokenAt, &token, sizeof(token));
}

std::size_t InsertEcho(std::span<const std::uint8_t> echo, std::uint8_t* request,
                       std::size_t bytes) {
  // Echo is option 252, and 240 after Content-Format: 13 and a byte of 227. So with its length.
  std::array<std::uint8_t, kEchoHeadBytesMax> head = {0xD0, 227, 0};
  const bool longer = echo.size() > 12;
  head[0] |= static_cast<std::uint8_t>(longer ? 13 : echo.size());
  if (longer) head[2] = static_cast<std::uint8_t>(echo.size() - 13);
  const std::size_t head_bytes = longer ? 3 : 2;
  std::uint8_t* const at = request + kMarkerAt;
  std::memmove(at + head_bytes + echo.size(), at, bytes - kMarkerAt);
  std::memcpy(at, head.data(), head_bytes);
  std::memcpy(at + head_bytes, echo.data(), echo.size());
  return bytes + head_bytes + echo.size();
}

std::vector<std::string> Readings() {
  std::vector<std::string> values;
  for (int tenths = 100; tenths < 1000; ++tenths) {
    values.push_back(std::to_string(tenths / 10) + "." + std::to_string(tenths % 10));
  }
  return values;
}

}  // namespace collector::client
