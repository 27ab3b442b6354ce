#include "collector/coap/message_layer.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "collector/coap/block.h"

namespace collector {
namespace {

// Seconds after which a device may try again when not even its request could be kept.
constexpr std::uint32_t kRetrySeconds = 5;

// An acknowledgement waits this long for the answer to travel with: long enough for a commit, and
// short of the 2 s after which a device sends again (RFC 7252 sections 4.8, 5.2.2).
constexpr std::int64_t kAcknowledgeAfterNs = kNsPerSecond;

constexpr std::size_t kHeaderBytes = 4;  // before the token

bool IsRequest(std::uint8_t code) { return code != 0 && code < 0x20; }

// The exchange: who asks, message id and token.
std::uint64_t ExchangeKey(const AddressPair& peer, std::uint16_t id, const Token& token,
                          std::uint64_t seed) {
  std::array<std::uint8_t, sizeof(id) + sizeof(token.bytes)> bytes{};
  std::memcpy(bytes.data(), &id, sizeof(id));
  std::copy_n(token.bytes.begin(), token.size, bytes.begin() + sizeof(id));
  return XXH3_64bits_withSeed(bytes.data(), sizeof(id) + token.size, PeerKeyOf(peer, seed));
}

// Which body a block belongs to (RFC 9175 section 3.3): who sends it, to what, under which tags.
std::uint64_t BodyKey(const AddressPair& peer, const Message& message, std::uint64_t seed) {
  XXH3_state_t state;
  XXH3_64bits_reset_withSeed(&state, PeerKeyOf(peer, seed));
  XXH3_64bits_update(&state, message.path.data(), message.path.size());
  XXH3_64bits_update(&state, message.request_tag.data(), message.request_tag.size());
  return XXH3_64bits_digest(&state);
}

// No-Response (RFC 7967). A block's 2.31 is always sent: without it there is no next block.
bool Unwanted(std::uint8_t no_response, Code code) {
  return code != Code::kContinue && (no_response >> (ClassOf(code) - 1) & 1) != 0;
}

// An answer tells which block it is about: the one it asks to go on from, or the last one. One that
// ends a body before its last block tells none.
void AddBlock1(const std::optional<Block>& block1, Code code, BlockOptions* options) {
  if (block1 && block1->more == (code == Code::kContinue)) options->block1 = block1;
}

}  // namespace

MessageLayer::MessageLayer(const MessageLayerOptions& options, Handler handler, DatagramSink* sink,
                           Metrics* metrics)
    : handler_(std::move(handler)),
      sink_(sink),
      metrics_(metrics),
      seed_(options.seed),
      exchanges_(options.exchanges_remembered_max),
      separate_(options.exchanges_pending_max, options.seed,
                options.peers_verified || options.require_echo, sink, metrics),
      pending_max_(options.exchanges_pending_max),
      payload_bytes_max_(options.payload_bytes_max) {
  if (options.require_echo && !options.peers_verified) proven_.emplace();
}

MessageLayer::~MessageLayer() { CHECK(pending() == 0); }

void MessageLayer::Expect(const AddressPair& addresses, Bytes datagram) const {
  Token token;
  if (datagram.size() < kHeaderBytes + token.bytes.size()) return;
  token.size = std::min<std::uint8_t>(datagram[0] & 0x0f, sizeof(token.bytes));
  std::copy_n(datagram.begin() + kHeaderBytes, token.size, token.bytes.begin());
  const auto id = static_cast<std::uint16_t>(datagram[2] << 8 | datagram[3]);
  exchanges_.Prefetch(ExchangeKey(addresses, id, token, seed_));
}

void MessageLayer::OnDatagram(const AddressPair& addresses, Bytes datagram, bool cut,
                              const std::vector<std::string>* names) {
  names_ = names;
  metrics_->coap.datagrams_received.Add();
  if (!parser_.Parse(datagram, &message_)) return metrics_->coap.datagrams_malformed.Add();
  const Message& message = message_;
  // Nobody of ours listens to a group: what comes that way is not for us (RFC 7252 section 8.1).
  if (addresses.local.IsMulticast()) return;
  const bool confirmable = message.type == MessageType::kConfirmable;
  if (!confirmable && message.type != MessageType::kNonConfirmable) {
    return OnAcknowledgement(addresses, message);
  }
  if (IsRequest(message.code)) return OnRequest(addresses, message, datagram, cut);
  // A ping, or a response or reserved code that nobody asked for (RFC 7252 sections 4.2, 4.3).
  if (!confirmable) return;
  metrics_->coap.resets_sent.Add();
  SendEmpty(addresses, MessageType::kReset, message.id);
}

// An ACK or RST to a separate answer of ours; to anything else it is stray and ignored.
void MessageLayer::OnAcknowledgement(const AddressPair& addresses, const Message& message) {
  if (message.code != 0 || separate_.waiting() == 0) return;
  const PeerKey peer = PeerKeyOf(addresses, seed_);
  if (message.type == MessageType::kAcknowledgement) {
    separate_.Acknowledged(peer, message.id);
  } else {
    separate_.Reset(peer, message.id);
  }
}

void MessageLayer::OnRequest(const AddressPair& addresses, const Message& message, Bytes datagram,
                             bool cut) {
  metrics_->coap.requests.Add();
  const bool confirmable = message.type == MessageType::kConfirmable;
  // A critical option in a non-confirmable request rejects it silently (RFC 7252 section 5.4.1).
  if (!confirmable && message.critical_unknown != 0) return;
  const std::uint64_t key = ExchangeKey(addresses, message.id, message.token, seed_);
  const auto request_hash =
      static_cast<std::uint32_t>(XXH3_64bits_withSeed(datagram.data(), datagram.size(), seed_));
  Instant arrived = now_;
  if (AnsweredBefore(addresses, message, key, request_hash, &arrived)) return;
  if (proven_ && !Proven(addresses, message)) return;
  Process(addresses, message, key, request_hash, arrived, datagram, cut);
}

bool MessageLayer::Proven(const AddressPair& addresses, const Message& message) {
  const PeerKey peer = PeerKeyOf(addresses, seed_);
  if (proven_->Has(peer, now_.monotonic_ns)) return true;
  if (echo_.Holds(peer, message.echo, now_.monotonic_ns)) {
    metrics_->coap.echo_proven.Add();
    proven_->Add(peer, now_.monotonic_ns);
    return true;
  }
  metrics_->coap.echo_asked.Add();
  metrics_->coap.answers[CountedPath(message.path)].Add(
      static_cast<std::uint8_t>(Code::kUnauthorized));
  // Whatever No-Response says: without it there is no next request. No text, which would be more
  // than this address may be sent.
  const EchoChallenge::Value value = echo_.For(peer, now_.monotonic_ns);
  BlockOptions options;
  options.echo = value;
  SendAnswer(addresses, HeaderFor(addresses, message), {.code = Code::kUnauthorized}, options);
  return false;
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
      if (message.type == MessageType::kConfirmable) {
        Acknowledge(&pending_[exchange.ticket()], addresses);
      }
      return true;
    case ExchangeTable::State::kAnswered: {
      metrics_->coap.duplicates_replayed.Add();
      Response response;
      response.code = static_cast<Code>(exchange.code);
      AnswerNow(addresses, message, response);
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
                           std::uint32_t request_hash, Instant arrived, Bytes datagram, bool cut) {
  if (free_.empty() && pending_.size() == pending_max_) {
    Response full = Response::Diagnostic(Code::kServiceUnavailable, "too many requests at once");
    full.max_age_seconds = kRetrySeconds;
    metrics_->coap.answers[CountedPath(message.path)].Add(static_cast<std::uint8_t>(full.code));
    return AnswerNow(addresses, message, full);
  }
  const std::uint32_t ticket = Take(addresses, message, key, arrived);
  pending_[ticket].request_bytes = static_cast<std::uint16_t>(datagram.size());
  Request request;
  request.method = static_cast<Code>(message.code);
  request.path = message.path;
  request.query = message.query;
  request.content_format = message.content_format;
  request.accept = message.accept;
  request.critical_unknown = message.critical_unknown;
  request.proxy = message.proxy;
  request.conditional = message.conditional;
  request.block_malformed = message.block_malformed;
  request.block1 = message.block1;
  if (message.block1) request.body = BodyKey(addresses, message, seed_);
  request.size1 = message.size1;
  request.payload = message.payload;
  request.payload_cut = cut || (!message.block1 && message.payload.size() > payload_bytes_max_);
  request.exchange = key | 1;
  request.arrived = arrived;
  request.peer = &pending_[ticket].addresses.remote;
  request.names = names_;
  handler_(request, Reply(this, ticket));
  if (pending_[ticket].live) {
    Remember(key, request_hash, ticket);
    if (message.type == MessageType::kConfirmable) Link(ticket);
  } else if (message.block1 && pending_[ticket].answered != Code::kRequestEntityIncomplete) {
    // A block is not idempotent: the next one may be here already when this one comes again. But
    // one that came too early may come at the right time yet.
    Remember(key, request_hash, ticket);
    exchanges_.Answered(key, ticket, pending_[ticket].place,
                        {.code = static_cast<std::uint8_t>(pending_[ticket].answered),
                         .replayable = true,
                         .arrived_wall_ms = arrived.wall_ns / kNsPerMs});
  }
  // What else was answered at once is idempotent or refused, and needs no memory of it.
}

void MessageLayer::Remember(std::uint64_t key, std::uint32_t request_hash, std::uint32_t ticket) {
  pending_[ticket].place =
      exchanges_.Insert(key, request_hash, ticket, now_.monotonic_ns / kNsPerMs);
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
  pending.header = HeaderFor(addresses, message);
  pending.arrived = {now_.monotonic_ns, arrived.wall_ns};
  pending.key = key;
  pending.place = 0;
  pending.block1 = message.block1;
  pending.block2 = message.block2;
  pending.size2_wanted = message.size2_wanted;
  pending.no_response = message.no_response;
  pending.hook_count = 0;
  pending.live = true;
  pending.linked = false;
  pending.acknowledged = false;
  pending.method = static_cast<Code>(message.code);
  pending.path_bytes = static_cast<std::uint8_t>(std::min(message.path.size(), kPathKept));
  std::copy_n(message.path.begin(), pending.path_bytes, pending.path.begin());
  return ticket;
}

AnswerHeader MessageLayer::HeaderFor(const AddressPair& peer, const Message& message) {
  if (message.type == MessageType::kConfirmable) {
    return {MessageType::kAcknowledgement, message.id, message.token};  // piggybacked
  }
  return {MessageType::kNonConfirmable, message_ids_.Next(PeerKeyOf(peer, seed_)), message.token};
}

void MessageLayer::Link(std::uint32_t ticket) {
  Pending& pending = pending_[ticket];
  pending.linked = true;
  pending.older = newest_;
  pending.newer = kNoTicket;
  (newest_ == kNoTicket ? oldest_ : pending_[newest_].newer) = ticket;
  newest_ = ticket;
}

void MessageLayer::Unlink(Pending* pending) {
  pending->linked = false;
  (pending->older == kNoTicket ? oldest_ : pending_[pending->older].newer) = pending->newer;
  (pending->newer == kNoTicket ? newest_ : pending_[pending->newer].older) = pending->older;
}

void MessageLayer::Acknowledge(Pending* pending, const AddressPair& addresses) {
  if (pending->linked) Unlink(pending);
  pending->acknowledged = true;
  metrics_->coap.acknowledged_empty.Add();
  SendEmpty(addresses, MessageType::kAcknowledgement, pending->header.id);
}

std::int64_t MessageLayer::due_ns() const {
  if (oldest_ == kNoTicket) return separate_.due_ns();
  return std::min(pending_[oldest_].arrived.monotonic_ns + kAcknowledgeAfterNs, separate_.due_ns());
}

void MessageLayer::OnTime() {
  while (oldest_ != kNoTicket) {
    Pending& pending = pending_[oldest_];
    if (now_.monotonic_ns - pending.arrived.monotonic_ns < kAcknowledgeAfterNs) break;
    Acknowledge(&pending, pending.addresses);
  }
  separate_.OnTime(now_.monotonic_ns);
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
  Conclude(pending, &response);
  const bool code_only = response.payload.empty() && !response.content_format &&
                         !response.max_age_seconds && !response.size1_bytes;
  if (pending.linked) Unlink(&pending);
  // A block cannot be processed again, whatever its answer says: its body has gone on.
  exchanges_.Answered(pending.key, ticket, pending.place,
                      {.code = static_cast<std::uint8_t>(response.code),
                       .replayable = code_only || pending.block1.has_value(),
                       .arrived_wall_ms = pending.arrived.wall_ns / kNsPerMs});
  pending.answered = response.code;
  pending.live = false;
  free_.push_back(ticket);
}

// The answer takes its way: with the acknowledgement, after it, or none.
void MessageLayer::Conclude(const Pending& pending, Response* response) {
  const bool confirmable = pending.header.type == MessageType::kAcknowledgement;
  if (Unwanted(pending.no_response, response->code)) {
    if (confirmable && !pending.acknowledged) {
      SendEmpty(pending.addresses, MessageType::kAcknowledgement, pending.header.id);
    }
    return;
  }
  BlockOptions blocks;
  if (!response->payload.empty()) {
    const bool verified = response->payload.size() > kUnverifiedAnswerBytesMax / 2 &&
                          separate_.Verified(PeerKeyOf(pending.addresses, seed_));
    blocks = CutToBlock(pending.block2, pending.size2_wanted,
                        AnswerBytesMax(verified, pending.request_bytes), response);
  }
  AddBlock1(pending.block1, response->code, &blocks);
  if (pending.acknowledged) {
    SendSeparate(pending, *response, blocks);
  } else {
    SendAnswer(pending.addresses, pending.header, *response, blocks);
  }
}

void MessageLayer::AnswerNow(const AddressPair& addresses, const Message& message,
                             const Response& response) {
  if (Unwanted(message.no_response, response.code)) {
    if (message.type == MessageType::kConfirmable) {
      SendEmpty(addresses, MessageType::kAcknowledgement, message.id);
    }
    return;
  }
  BlockOptions blocks;
  AddBlock1(message.block1, response.code, &blocks);
  SendAnswer(addresses, HeaderFor(addresses, message), response, blocks);
}

void MessageLayer::SendSeparate(const Pending& pending, const Response& response,
                                const BlockOptions& blocks) {
  const PeerKey peer = PeerKeyOf(pending.addresses, seed_);
  AnswerHeader header{MessageType::kConfirmable, message_ids_.Next(peer), pending.header.token};
  std::array<std::uint8_t, kAnswerBytesMax> buffer;
  if (separate_.full()) {
    // Better an answer that may be lost than none, and no memory of it.
    header.type = MessageType::kNonConfirmable;
    metrics_->coap.separate_unconfirmed.Add();
    return sink_->Send(pending.addresses, EncodeAnswer(header, response, blocks, buffer));
  }
  separate_.Send(pending.addresses, peer, header.id, EncodeAnswer(header, response, blocks, buffer),
                 now_.monotonic_ns);
}

void MessageLayer::SendEmpty(const AddressPair& addresses, MessageType type,
                             std::uint16_t message_id) {
  SendAnswer(addresses, {type, message_id, {}}, {}, {});
}

void MessageLayer::SendAnswer(const AddressPair& addresses, const AnswerHeader& header,
                              const Response& response, const BlockOptions& blocks) {
  std::array<std::uint8_t, kAnswerBytesMax> buffer;
  sink_->Send(addresses, EncodeAnswer(header, response, blocks, buffer));
}

}  // namespace collector
