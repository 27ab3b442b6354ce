// What the pipeline sees of CoAP: a request, a response, and the duty to answer exactly once.
// Values only: nothing here knows of sockets or of libcoap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "collector/base/check.h"
#include "collector/base/clock.h"
#include "collector/base/socket_address.h"

namespace collector {

// Codes as on the wire: class in the upper three bits, detail in the lower five
// (RFC 7252 section 12.1, RFC 8132, RFC 8516).
enum class Code : std::uint8_t {
  kEmpty = 0x00,
  kGet = 0x01,
  kPost = 0x02,
  kCreated = 0x41,
  kContent = 0x45,
  kContinue = 0x5f,
  kBadRequest = 0x80,
  kUnauthorized = 0x81,
  kBadOption = 0x82,
  kForbidden = 0x83,
  kNotFound = 0x84,
  kMethodNotAllowed = 0x85,
  kNotAcceptable = 0x86,
  kRequestEntityIncomplete = 0x88,
  kPreconditionFailed = 0x8c,
  kRequestEntityTooLarge = 0x8d,
  kUnsupportedContentFormat = 0x8f,
  kUnprocessableEntity = 0x96,
  kTooManyRequests = 0x9d,
  kInternalServerError = 0xa0,
  kServiceUnavailable = 0xa3,
  kProxyingNotSupported = 0xa5,
};

inline int ClassOf(Code code) { return static_cast<int>(code) >> 5; }
inline int DetailOf(Code code) { return static_cast<int>(code) & 0x1f; }
std::string ToString(Code code);      // "2.01"
std::string MethodName(Code method);  // "POST"

enum class ContentFormat : std::uint16_t {  // RFC 7252 section 12.3, RFC 8428 section 12.3
  kText = 0,
  kLink = 40,
  kJson = 50,
  kCbor = 60,
  kSenmlJson = 110,
  kSenmlCbor = 112,
};

// One block of a body (RFC 7959 section 2.2).
struct Block {
  std::uint32_t number = 0;        // below 2^20
  bool more = false;               // blocks follow
  std::uint8_t size_exponent = 0;  // 0 to 6: 16 to 1024 bytes

  [[nodiscard]] std::size_t bytes() const { return std::size_t{16} << size_exponent; }
  [[nodiscard]] std::size_t offset() const { return number * bytes(); }
};

// A request. Its views live as long as the call that hands it over.
struct Request {
  Code method = Code::kEmpty;  // any code of class 0 but 0.00
  std::string_view path;       // "/events"; "/" when there is no Uri-Path
  std::string_view query;      // "rt=events&if=core.s"
  std::optional<std::uint16_t> content_format;
  std::optional<std::uint16_t> accept;
  std::uint16_t critical_unknown = 0;  // the first critical option that is not understood
  bool proxy = false;                  // Proxy-Uri or Proxy-Scheme is there
  bool conditional = false;            // If-Match or If-None-Match is there
  bool block_malformed = false;        // Block1 or Block2 has the reserved size
  std::optional<Block> block1;         // the payload is this block of a body
  std::uint64_t body = 0;              // with block1, of which: (peer, path, Request-Tag)
  std::optional<std::uint32_t> size1;  // the body's size, as its sender says
  std::string_view payload;
  bool payload_cut = false;    // longer than one message may be; what is here is not all of it
  std::uint64_t exchange = 0;  // identifies (peer, message id, token); not 0
  Instant arrived;             // when this exchange's first datagram came
  const SocketAddress* peer = nullptr;
  // Who the peer has proved to be, as access lists write it: "psk:probe-1", "cn:probe-1.example".
  // Null over plain CoAP.
  const std::vector<std::string>* names = nullptr;
};

// Whether the request leaves this format open or asks for it.
inline bool Accepts(const Request& request, ContentFormat offered) {
  const auto format = static_cast<std::uint16_t>(offered);
  return request.accept.value_or(format) == format;
}

struct Response {
  Code code = Code::kEmpty;
  std::optional<ContentFormat> content_format = {};
  std::optional<std::uint32_t> max_age_seconds = {};
  std::optional<std::uint32_t> size1_bytes = {};
  std::string payload = {};

  // An error with a diagnostic for a person (RFC 7252 section 5.5.2).
  static Response Diagnostic(Code code, std::string text) {
    return {.code = code, .payload = std::move(text)};
  }
};

// What is known of a request when its answer goes out, which may be long after its views died.
struct AnsweredRequest {
  Code method;
  std::string_view path;  // cut to what is kept of it
  const SocketAddress& peer;
  std::int64_t duration_ns;  // from arrival to answer
};

// Sees every answer on its way out and may change it. Outlives all requests; called on the loop.
class AnswerHook {
 public:
  virtual ~AnswerHook() = default;
  virtual void OnAnswer(const AnsweredRequest& request, Response* response) = 0;
};

// Takes the answers: the message layer, or a test.
class ReplySink {
 public:
  virtual ~ReplySink() = default;
  virtual void Answer(std::uint32_t ticket, Response response) = 0;
  virtual void AddHook(std::uint32_t ticket, AnswerHook* hook) = 0;
};

// The duty to answer one request: exactly once, at once or after the commit. Move-only; dropping
// it unanswered is a bug and aborts.
class Reply {
 public:
  Reply() = default;
  Reply(ReplySink* sink, std::uint32_t ticket) : sink_(sink), ticket_(ticket) {}
  Reply(Reply&& other) noexcept
      : sink_(std::exchange(other.sink_, nullptr)), ticket_(other.ticket_) {}
  Reply& operator=(Reply&& other) noexcept {
    CHECK(sink_ == nullptr);
    sink_ = std::exchange(other.sink_, nullptr);
    ticket_ = other.ticket_;
    return *this;
  }
  ~Reply() { CHECK(sink_ == nullptr); }

  void Send(Response response) && {
    CHECK(sink_ != nullptr);
    std::exchange(sink_, nullptr)->Answer(ticket_, std::move(response));
  }

  // The hooks of one request are called last added first, as a chain unwinds.
  void AddHook(AnswerHook* hook) { sink_->AddHook(ticket_, hook); }

 private:
  ReplySink* sink_ = nullptr;
  std::uint32_t ticket_ = 0;
};

}  // namespace collector
