#include "collector/coap/message_layer.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

namespace collector {
namespace {

// Seconds after which a device may try again when not even its request could be kept.
constexpr std::uint32_t kRetrySeconds = 5;

bool IsRequest(std::uint8_t code) { return code != 0 && code < 0x20; }

template <std::size_t kSize>
std::size_t Append(const void* from, std::size_t bytes, std::array<std::uint8_t, kSize>* to,
                   std::size_t at) {
  std::copy_n(static_cast<const std::uint8_t*>(from), bytes, to->data() + at);
  return at + bytes;
}

// The exchange: who asks (address and port), message id and token.
std::uint64_t ExchangeKey(const SocketAddress& peer, const Message& message, std::uint64_t seed) {
  std::array<std::uint8_t, 40> bytes{};
  std::size_t used = 0;
  if (peer.family() == AF_INET) {
    used = Append(&peer.v4().sin_addr, sizeof(in_addr), &bytes, used);
    used = Append(&peer.v4().sin_port, sizeof(in_port_t), &bytes, used);
  } else {
    used = Append(&peer.v6().sin6_addr, sizeof(in6_addr), &bytes, used);
    used = Append(&peer.v6().sin6_scope_id, sizeof(std::uint32_t), &bytes, used);
    used = Append(&peer.v6().sin6_port, sizeof(in_port_t), &bytes, used);
  }
  used = Append(&message.id, sizeof(message.id), &bytes, used);
  used = Append(message.token.bytes.data(), message.token.size, &bytes, used);
  return XXH3_64bits_withSeed(bytes.data(), used, seed);
}

}  // namespace

MessageLayer::MessageLayer(const MessageLayerOptions& options, Handler handler, DatagramSink* sink,
                           Metrics* metrics)
    : handler_(std::move(handler)),
      sink_(sink),
      metrics_(metrics),
      seed_(options.seed),
      next_message_id_(static_cast<std::uint16_t>(options.seed >> 48)),
      exchanges_(options.exchanges_remembered_max),
      pending_max_(options.exchanges_pending_max) {}

MessageLayer::~MessageLayer() { CHECK(pending() == 0); }

void MessageLayer::OnDatagram(const AddressPair& addresses, Bytes datagram, bool cut) {
  metrics_->coap.datagrams_received.Add();
  Message message;
  if (!parser_.Parse(datagram, &message)) return metrics_->coap.datagrams_malformed.Add();
  // Nobody of ours listens to a group: what comes that way is not for us (RFC 7252 section 8.1).
  if (addresses.local.IsMulticast()) return;
  const bool confirmable = message.type == MessageType::kConfirmable;
  if (!confirmable && message.type != MessageType::kNonConfirmable) return;  // nothing of ours
  if (IsRequest(message.code)) return OnRequest(addresses, message, datagram, cut);
  // A ping, or a response or reserved code that nobody asked for (RFC 7252 sections 4.2, 4.3).
  if (confirmable) SendReset(addresses, message.id);
}

void MessageLayer::OnRequest(const AddressPair& addresses, const Message& message, Bytes datagram,
                             bool cut) {
  metrics_->coap.requests.Add();
  const bool confirmable = message.type == MessageType::kConfirmable;
  // A critical option in a non-confirmable request rejects it silently (RFC 7252 section 5.4.1).
  if (!confirmable && message.critical_unknown != 0) return;
  const std::uint64_t key = ExchangeKey(addresses.remote, message, seed_);
  exchanges_.Prefetch(key);
  const auto request_hash =
      static_cast<std::uint32_t>(XXH3_64bits_withSeed(datagram.data(), datagram.size(), seed_));
  Instant arrived = now_;
  if (AnsweredBefore(addresses, message, key, request_hash, &arrived)) return;
  Process(addresses, message, key, request_hash, arrived, cut);
}

// True if nothing is left to do. Else *arrived is when this exchange came first.
bool MessageLayer::AnsweredBefore(const AddressPair& addresses, const Message& message,
                                  std::uint64_t key, std::uint32_t request_hash, Instant* arrived) {
  const ExchangeTable::Place place = exchanges_.Find(key, now_.monotonic_ns / kNsPerMs);
  if (place == ExchangeTable::kNone) return false;
  const ExchangeTable::Exchange& exchange = exchanges_.At(place);
  // Another request under a reused message id and token is a new exchange.
  if (exchange.request_hash != request_hash) return false;
  switch (exchange.state) {
    case ExchangeTable::State::kPending:
      metrics_->coap.duplicates_pending.Add();
      return true;
    case ExchangeTable::State::kAnswered: {
      metrics_->coap.duplicates_replayed.Add();
      Response response;
      response.code = static_cast<Code>(exchange.code);
      SendAnswer(addresses, HeaderFor(message), response);
      return true;
    }
    case ExchangeTable::State::kRepeat:
      arrived->wall_ns = exchange.arrived_wall_ms() * kNsPerMs;
      return false;
    case ExchangeTable::State::kForgotten:
      return false;
  }
  return false;
}

void MessageLayer::Process(const AddressPair& addresses, const Message& message, std::uint64_t key,
                           std::uint32_t request_hash, Instant arrived, bool cut) {
  if (free_.empty() && pending_.size() == pending_max_) {
    Response full = Response::Diagnostic(Code::kServiceUnavailable, "too many requests at once");
    full.max_age_seconds = kRetrySeconds;
    metrics_->coap.answers_by_code[static_cast<std::size_t>(full.code)].Add();
    return SendAnswer(addresses, HeaderFor(message), full);
  }
  const std::uint32_t ticket = Take(addresses, message, key, arrived);
  Request request;
  request.method = static_cast<Code>(message.code);
  request.path = message.path;
  request.content_format = message.content_format;
  request.accept = message.accept;
  request.critical_unknown = message.critical_unknown;
  request.proxy = message.proxy;
  request.payload = message.payload;
  request.payload_cut = cut;
  request.exchange = key | 1;
  request.arrived = arrived;
  request.peer = &pending_[ticket].addresses.remote;
  handler_(request, Reply(this, ticket));
  // What was answered at once is idempotent or refused, and needs no memory of it.
  if (pending_[ticket].live) {
    pending_[ticket].place =
        exchanges_.Insert(key, request_hash, ticket, now_.monotonic_ns / kNsPerMs);
    metrics_->coap.exchanges_remembered.Set(exchanges_.size());
  }
}

std::uint32_t MessageLayer::Take(const AddressPair& addresses, const Message& message,
                                 std::uint64_t key, Instant arrived) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(pending_.size()));
    pending_.emplace_back();
  }
  const std::uint32_t ticket = free_.back();
  free_.pop_back();
  Pending& pending = pending_[ticket];
  pending.addresses = addresses;
  pending.header = HeaderFor(message);
  pending.arrived = {now_.monotonic_ns, arrived.wall_ns};
  pending.key = key;
  pending.place = 0;
  pending.hook_count = 0;
  pending.live = true;
  pending.method = static_cast<Code>(message.code);
  pending.path_bytes = static_cast<std::uint8_t>(std::min(message.path.size(), kPathKept));
  std::copy_n(message.path.begin(), pending.path_bytes, pending.path.begin());
  return ticket;
}

AnswerHeader MessageLayer::HeaderFor(const Message& message) {
  if (message.type == MessageType::kConfirmable) {
    return {MessageType::kAcknowledgement, message.id, message.token};  // piggybacked
  }
  return {MessageType::kNonConfirmable, next_message_id_++, message.token};
}

void MessageLayer::AddHook(std::uint32_t ticket, AnswerHook* hook) {
  Pending& pending = pending_[ticket];
  CHECK(pending.live && pending.hook_count < kHooksMax);
  pending.hooks[pending.hook_count++] = hook;
}

void MessageLayer::Answer(std::uint32_t ticket, Response response) {
  Pending& pending = pending_[ticket];
  CHECK(pending.live);
  const AnsweredRequest answered{pending.method,
                                 {pending.path.data(), pending.path_bytes},
                                 pending.addresses.remote,
                                 now_.monotonic_ns - pending.arrived.monotonic_ns};
  for (std::size_t i = pending.hook_count; i-- > 0;) {
    pending.hooks[i]->OnAnswer(answered, &response);
  }
  SendAnswer(pending.addresses, pending.header, response);
  const bool code_only = response.payload.empty() && !response.content_format &&
                         !response.max_age_seconds && !response.size1_bytes;
  exchanges_.Answered(pending.key, ticket, pending.place,
                      {.code = static_cast<std::uint8_t>(response.code),
                       .replayable = code_only,
                       .arrived_wall_ms = pending.arrived.wall_ns / kNsPerMs});
  pending.live = false;
  free_.push_back(ticket);
}

void MessageLayer::SendReset(const AddressPair& addresses, std::uint16_t message_id) {
  metrics_->coap.resets_sent.Add();
  SendAnswer(addresses, {MessageType::kReset, message_id, {}}, {});
}

void MessageLayer::SendAnswer(const AddressPair& addresses, const AnswerHeader& header,
                              const Response& response) {
  std::array<std::uint8_t, kAnswerBytesMax> buffer;
  sink_->Send(addresses, EncodeAnswer(header, response, buffer));
}

}  // namespace collector
