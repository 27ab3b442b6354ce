// CoAP's message layer (RFC 7252 section 4) as a state machine without sockets: a datagram in,
// datagrams out. Each exchange is processed once; its answer is withheld until the handler has it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "collector/base/metrics.h"
#include "collector/coap/datagram_sink.h"
#include "collector/coap/echo.h"
#include "collector/coap/exchange_table.h"
#include "collector/coap/message.h"
#include "collector/coap/peers.h"
#include "collector/coap/separate_answers.h"
#include "collector/middleware/middleware.h"

namespace collector {

struct MessageLayerOptions {
  std::size_t exchanges_pending_max = 16'448;  // also of separate answers that are not acknowledged
  std::size_t exchanges_remembered_max = 524'288;
  std::size_t payload_bytes_max = 4'096;  // of one message; a longer one is handed over as cut
  bool peers_verified = false;            // they are where they say they are
  bool require_echo = false;              // or must prove it before a request is processed
  std::uint64_t seed = 0;  // of the table's hash and of message ids; secret in production
};

// One thread. The handler, sink and metrics outlive it; every pending Reply must be answered
// before it is destroyed.
class MessageLayer : public ReplySink {
 public:
  MessageLayer(const MessageLayerOptions& options, Handler handler, DatagramSink* sink,
               Metrics* metrics);
  ~MessageLayer() override;
  MessageLayer(const MessageLayer&) = delete;
  MessageLayer& operator=(const MessageLayer&) = delete;

  // The time that answers are measured against; called once a turn of the loop.
  void SetTime(Instant now) { now_ = now; }

  // Acknowledges what has waited too long for its answer, sends again what nobody acknowledged.
  // Called once a turn, when its answers are given.
  void OnTime();

  // When the next turn is wanted at the latest; kNever.
  [[nodiscard]] std::int64_t due_ns() const;

  // Says that OnDatagram will soon be called with these, so that memory is on the way meanwhile.
  void Expect(const AddressPair& addresses, Bytes datagram) const;

  // One datagram as received; `cut`: it was longer than what is handed over. `names`: for
  // Request::names.
  void OnDatagram(const AddressPair& addresses, Bytes datagram, bool cut,
                  const std::vector<std::string>* names = nullptr);

  // Exchanges whose answer is still withheld.
  [[nodiscard]] std::size_t pending() const { return pending_.size() - free_.size(); }

  // Exchanges that are known, whether answered or not.
  [[nodiscard]] std::size_t remembered() const { return exchanges_.size(); }

  // Separate answers that their peers have not acknowledged yet.
  [[nodiscard]] std::size_t separate_waiting() const { return separate_.waiting(); }

  void Answer(std::uint32_t ticket, Response response) override;
  void AddHook(std::uint32_t ticket, AnswerHook* hook) override;

 private:
  static constexpr std::size_t kHooksMax = 4;
  static constexpr std::size_t kPathKept = 31;
  static constexpr std::uint32_t kNoTicket = ~std::uint32_t{0};

  // A request in the handler's hands.
  struct Pending {
    AddressPair addresses;
    AnswerHeader header;
    Instant arrived;
    std::uint64_t key = 0;
    ExchangeTable::Place place = 0;
    // Its neighbours by arrival among those whose acknowledgement is still due; kNoTicket.
    std::uint32_t older = kNoTicket;
    std::uint32_t newer = kNoTicket;
    std::array<AnswerHook*, kHooksMax> hooks{};
    std::optional<Block> block1;
    std::optional<Block> block2;
    std::uint16_t request_bytes = 0;
    std::uint8_t no_response = 0;
    bool size2_wanted = false;
    std::uint8_t hook_count = 0;
    bool live = false;
    bool linked = false;        // is in that list
    bool acknowledged = false;  // by an empty message: the answer goes separately
    Code method = Code::kEmpty;
    Code answered = Code::kEmpty;  // once it is not live any more
    std::uint8_t path_bytes = 0;
    std::array<char, kPathKept> path{};
  };

  void OnRequest(const AddressPair& addresses, const Message& message, Bytes datagram, bool cut);
  bool AnsweredBefore(const AddressPair& addresses, const Message& message, std::uint64_t key,
                      std::uint32_t request_hash, Instant* arrived);
  void Process(const AddressPair& addresses, const Message& message, std::uint64_t key,
               std::uint32_t request_hash, Instant arrived, Bytes datagram, bool cut);
  std::uint32_t Take(const AddressPair& addresses, const Message& message, std::uint64_t key,
                     Instant arrived);
  void Remember(std::uint64_t key, std::uint32_t request_hash, std::uint32_t ticket);
  // Whether the peer has proved its address; else it is told how.
  bool Proven(const AddressPair& addresses, const Message& message);
  // Answers without a ticket, by a code and what belongs to it.
  void AnswerNow(const AddressPair& addresses, const Message& message, const Response& response);
  void OnAcknowledgement(const AddressPair& addresses, const Message& message);
  void Link(std::uint32_t ticket);
  void Unlink(Pending* pending);
  // Tells the peer that its request arrived, and that the answer comes by itself.
  void Acknowledge(Pending* pending, const AddressPair& addresses);
  void Conclude(const Pending& pending, Response* response);
  void SendSeparate(const Pending& pending, const Response& response, const BlockOptions& blocks);
  AnswerHeader HeaderFor(const AddressPair& peer, const Message& message);
  void SendEmpty(const AddressPair& addresses, MessageType type, std::uint16_t message_id);
  void SendAnswer(const AddressPair& addresses, const AnswerHeader& header,
                  const Response& response, const BlockOptions& blocks);

  Handler handler_;
  DatagramSink* sink_;
  Metrics* metrics_;
  std::uint64_t seed_;
  MessageIds message_ids_;
  Instant now_;
  MessageParser parser_;
  Message message_;                                  // the one at hand
  const std::vector<std::string>* names_ = nullptr;  // and whose it is
  ExchangeTable exchanges_;
  SeparateAnswers separate_;
  EchoChallenge echo_;
  std::optional<ProvenPeers> proven_;  // none: nobody need prove anything
  std::vector<Pending> pending_;       // grows to its limit, then stays
  std::vector<std::uint32_t> free_;    // places in pending_
  std::size_t pending_max_;
  std::size_t payload_bytes_max_;
  std::uint32_t oldest_ = kNoTicket;  // the ends of the list of what is to be acknowledged
  std::uint32_t newest_ = kNoTicket;
};

}  // namespace collector
