#include "collector/coap/message.h"

#include <coap3/coap.h>

#include <algorithm>
#include <cstring>

namespace collector {
namespace {

constexpr std::size_t kPduBytesMax = 65536;  // as a UDP datagram; libcoap allocates as needed
constexpr std::uint8_t kPayloadMarker = 0xff;
constexpr std::size_t kEchoBytesMax = 40;  // RFC 9175 section 2.2.1

std::string_view ValueOf(const coap_opt_t* option) {
  return {reinterpret_cast<const char*>(coap_opt_value(option)), coap_opt_length(option)};
}

// Appends an option's text; a separator inside it is escaped, because it separates nothing.
void AppendText(const coap_opt_t* option, char separator, std::string_view escaped,
                std::string* text) {
  std::string_view value = ValueOf(option);
  for (auto at = value.find(separator); at != value.npos; at = value.find(separator)) {
    text->append(value.substr(0, at)).append(escaped);
    value.remove_prefix(at + 1);
  }
  text->append(value);
}

std::uint32_t ReadUint(const coap_opt_t* option) {
  return coap_decode_var_bytes(coap_opt_value(option), coap_opt_length(option));
}

std::uint16_t ReadUint16(const coap_opt_t* option) {
  return static_cast<std::uint16_t>(ReadUint(option));
}

constexpr std::uint8_t kSizeExponentReserved = 7;

Block ReadBlock(const coap_opt_t* option) {
  const std::uint32_t value = ReadUint(option);
  return {.number = value >> 4,
          .more = (value & 8) != 0,
          .size_exponent = static_cast<std::uint8_t>(value & 7)};
}

std::uint32_t ValueOf(const Block& block) {
  return block.number << 4 | (block.more ? 8U : 0U) | block.size_exponent;
}

// Critical options that may be given once: once more, it is one that is not understood (RFC 7252
// section 5.4.5).
bool OnlyOnce(std::uint16_t number) {
  switch (number) {
    case COAP_OPTION_URI_HOST:
    case COAP_OPTION_URI_PORT:
    case COAP_OPTION_ACCEPT:
    case COAP_OPTION_BLOCK1:
    case COAP_OPTION_BLOCK2:
    case COAP_OPTION_IF_NONE_MATCH:
      return true;
    default:
      return false;
  }
}

// Appends options in ascending order by libcoap's encoder.
class OptionWriter {
 public:
  explicit OptionWriter(std::span<std::uint8_t> room) : room_(room) {}

  void AddUint(std::uint16_t number, std::uint32_t value) {
    std::array<std::uint8_t, 4> bytes{};
    const unsigned int length = coap_encode_var_safe(bytes.data(), bytes.size(), value);
    Add(number, {bytes.data(), length});
  }
  void Add(std::uint16_t number, Bytes value) {
    used_ +=
        coap_opt_encode(room_.data() + used_, room_.size() - used_,
                        static_cast<std::uint16_t>(number - last_), value.data(), value.size());
    last_ = number;
  }
  [[nodiscard]] std::size_t used() const { return used_; }

 private:
  std::span<std::uint8_t> room_;
  std::size_t used_ = 0;
  std::uint16_t last_ = 0;
};

}  // namespace

void MessageParser::PduFree::operator()(coap_pdu_t* pdu) const { coap_delete_pdu(pdu); }

MessageParser::MessageParser()
    : pdu_(coap_pdu_init(COAP_MESSAGE_CON, COAP_EMPTY_CODE, 0, kPduBytesMax)) {
  CHECK(pdu_ != nullptr);
  // libcoap writes a line for each malformed datagram; here they are counted instead.
#if LIBCOAP_VERSION >= 4003002U
  coap_set_log_level(COAP_LOG_EMERG);
#else
  coap_set_log_level(LOG_EMERG);
#endif
}

MessageParser::~MessageParser() = default;

bool MessageParser::Parse(Bytes datagram, Message* message) {
  *message = Message();
  // coap_pdu_parse reads the fixed header before it looks at the length.
  if (datagram.size() < 4) return false;
  if (coap_pdu_parse(COAP_PROTO_UDP, datagram.data(), datagram.size(), pdu_.get()) == 0) {
    return false;
  }
  message->type = static_cast<MessageType>(coap_pdu_get_type(pdu_.get()));
  message->code = static_cast<std::uint8_t>(coap_pdu_get_code(pdu_.get()));
  message->id = static_cast<std::uint16_t>(coap_pdu_get_mid(pdu_.get()));
  const coap_bin_const_t token = coap_pdu_get_token(pdu_.get());
  if (token.length > message->token.bytes.size()) return false;
  message->token.size = static_cast<std::uint8_t>(token.length);
  std::copy_n(token.s, token.length, message->token.bytes.begin());
  ReadOptions(message);
  std::size_t payload_bytes = 0;
  const std::uint8_t* payload = nullptr;
  message->payload = {};
  if (coap_get_data(pdu_.get(), &payload_bytes, &payload) != 0) {
    message->payload = {reinterpret_cast<const char*>(payload), payload_bytes};
  }
  return true;
}

void MessageParser::ReadOptions(Message* message) {
  path_.clear();
  query_.clear();
  request_tag_.clear();
  coap_opt_iterator_t iterator;
  if (message->code != 0 && coap_option_iterator_init(pdu_.get(), &iterator, COAP_OPT_ALL)) {
    std::uint16_t last = 0;
    while (const coap_opt_t* option = coap_option_next(&iterator)) {
      const std::uint16_t number = iterator.number;
      const bool again = number == last && OnlyOnce(number);
      last = number;
      if (again || !ReadOption(number, option, message)) {
        // Odd numbers are critical (RFC 7252 section 5.4.6).
        if ((number & 1) != 0 && message->critical_unknown == 0) {
          message->critical_unknown = number;
        }
      }
    }
  }
  if (path_.empty()) path_.push_back('/');
  message->path = path_;
  message->query = query_;
  message->request_tag = request_tag_;
}

// False if the option is not understood.
bool MessageParser::ReadOption(std::uint16_t number, const coap_opt_t* option, Message* message) {
  switch (number) {
    case COAP_OPTION_URI_PATH:
      path_.push_back('/');
      AppendText(option, '/', "%2F", &path_);
      return true;
    case COAP_OPTION_CONTENT_FORMAT:
      if (!message->content_format) message->content_format = ReadUint16(option);
      return true;
    case COAP_OPTION_ACCEPT:
      message->accept = ReadUint16(option);
      return true;
    case COAP_OPTION_URI_QUERY:
      if (!query_.empty()) query_.push_back('&');
      AppendText(option, '&', "%26", &query_);
      return true;
    case COAP_OPTION_URI_HOST:
    case COAP_OPTION_URI_PORT:
      return true;
    case COAP_OPTION_BLOCK1:
      message->block1 = ReadBlock(option);
      message->block_malformed |= message->block1->size_exponent == kSizeExponentReserved;
      return true;
    case COAP_OPTION_BLOCK2:
      message->block2 = ReadBlock(option);
      message->block_malformed |= message->block2->size_exponent == kSizeExponentReserved;
      return true;
    case COAP_OPTION_SIZE1:
      message->size1 = ReadUint(option);
      return true;
    case COAP_OPTION_SIZE2:
      message->size2_wanted = true;
      return true;
    case COAP_OPTION_RTAG:
      request_tag_.push_back(static_cast<char>(coap_opt_length(option)));
      request_tag_.append(ValueOf(option));
      return true;
    case COAP_OPTION_ECHO:
      if (message->echo.empty() && coap_opt_length(option) <= kEchoBytesMax) {
        message->echo = {coap_opt_value(option), coap_opt_length(option)};
      }
      return true;
    case COAP_OPTION_NORESPONSE:
      message->no_response = static_cast<std::uint8_t>(ReadUint(option));
      return true;
    case COAP_OPTION_IF_MATCH:
    case COAP_OPTION_IF_NONE_MATCH:
      message->conditional = true;
      return true;
    case COAP_OPTION_PROXY_URI:
    case COAP_OPTION_PROXY_SCHEME:
      message->proxy = true;
      return true;
    default:
      return false;
  }
}

Bytes EncodeAnswer(const AnswerHeader& header, const Response& response, const BlockOptions& blocks,
                   std::span<std::uint8_t, kAnswerBytesMax> buffer) {
  // The fixed header of RFC 7252 section 3; libcoap's writer of it is not public.
  buffer[0] =
      static_cast<std::uint8_t>(0x40 | static_cast<unsigned>(header.type) << 4 | header.token.size);
  buffer[1] = static_cast<std::uint8_t>(response.code);
  buffer[2] = static_cast<std::uint8_t>(header.id >> 8);
  buffer[3] = static_cast<std::uint8_t>(header.id & 0xff);
  std::size_t used = 4;
  std::copy_n(header.token.bytes.begin(), header.token.size, buffer.begin() + 4);
  used += header.token.size;

  OptionWriter options(buffer.subspan(used));
  if (blocks.etag) options.AddUint(COAP_OPTION_ETAG, *blocks.etag);
  if (response.content_format) {
    options.AddUint(COAP_OPTION_CONTENT_FORMAT,
                    static_cast<std::uint16_t>(*response.content_format));
  }
  if (response.max_age_seconds) options.AddUint(COAP_OPTION_MAXAGE, *response.max_age_seconds);
  if (blocks.block2) options.AddUint(COAP_OPTION_BLOCK2, ValueOf(*blocks.block2));
  if (blocks.block1) options.AddUint(COAP_OPTION_BLOCK1, ValueOf(*blocks.block1));
  if (blocks.size2) options.AddUint(COAP_OPTION_SIZE2, *blocks.size2);
  if (response.size1_bytes) options.AddUint(COAP_OPTION_SIZE1, *response.size1_bytes);
  if (!blocks.echo.empty()) options.Add(COAP_OPTION_ECHO, blocks.echo);
  used += options.used();

  if (!response.payload.empty()) {
    buffer[used++] = kPayloadMarker;
    const std::size_t bytes = std::min(response.payload.size(), buffer.size() - used);
    std::memcpy(&buffer[used], response.payload.data(), bytes);
    used += bytes;
  }
  return buffer.first(used);
}

}  // namespace collector
