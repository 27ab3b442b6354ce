#include "collector/coap/separate_answers.h"

#include "collector/base/check.h"

namespace collector {
namespace {

// RFC 7252 section 4.8.
constexpr std::int64_t kAckTimeoutNs = 2 * kNsPerSecond;
constexpr double kAckRandomFactor = 1.5;
constexpr int kRetransmitMax = 4;
// To a peer that may be somebody else's address (RFC 9175 section 2.4).
constexpr int kUnverifiedRetransmitMax = 2;

}  // namespace

SeparateAnswers::SeparateAnswers(std::size_t waiting_max, std::uint64_t seed, bool all_verified,
                                 DatagramSink* sink, Metrics* metrics)
    : waiting_max_(waiting_max),
      all_verified_(all_verified),
      random_(static_cast<std::minstd_rand::result_type>(seed)),
      sink_(sink),
      metrics_(metrics) {}

void SeparateAnswers::Send(const AddressPair& addresses, PeerKey peer, std::uint16_t message_id,
                           Bytes message, std::int64_t now_ns) {
  CHECK(!full());
  const Key key = KeyOf(peer, message_id);
  Forget(key);
  std::uniform_real_distribution<double> factor(1, kAckRandomFactor);
  const auto timeout_ns =
      static_cast<std::int64_t>(static_cast<double>(kAckTimeoutNs) * factor(random_));
  waiting_.emplace(key, Waiting{.addresses = addresses,
                                .peer = peer,
                                .message = std::string(message.begin(), message.end()),
                                .due_ns = now_ns + timeout_ns,
                                .timeout_ns = timeout_ns});
  by_due_.emplace(now_ns + timeout_ns, key);
  metrics_->coap.separate_sent.Add();
  metrics_->coap.separate_waiting.Set(waiting_.size());
  sink_->Send(addresses, message);
}

void SeparateAnswers::Acknowledged(PeerKey peer, std::uint16_t message_id) {
  if (Forget(KeyOf(peer, message_id))) verified_.Add(peer);
}

void SeparateAnswers::Reset(PeerKey peer, std::uint16_t message_id) {
  if (Forget(KeyOf(peer, message_id))) metrics_->coap.separate_reset.Add();
}

bool SeparateAnswers::Forget(Key key) {
  const auto found = waiting_.find(key);
  if (found == waiting_.end()) return false;
  by_due_.erase({found->second.due_ns, key});
  waiting_.erase(found);
  metrics_->coap.separate_waiting.Set(waiting_.size());
  return true;
}

void SeparateAnswers::OnTime(std::int64_t now_ns) {
  while (due_ns() <= now_ns) {
    const Key key = by_due_.begin()->second;
    Waiting& waiting = waiting_.at(key);
    const int max = Verified(waiting.peer) ? kRetransmitMax : kUnverifiedRetransmitMax;
    if (waiting.retransmissions >= max) {
      metrics_->coap.separate_given_up.Add();
      Forget(key);
      continue;
    }
    ++waiting.retransmissions;
    by_due_.erase(by_due_.begin());
    waiting.timeout_ns *= 2;
    waiting.due_ns = now_ns + waiting.timeout_ns;
    by_due_.emplace(waiting.due_ns, key);
    metrics_->coap.separate_retransmitted.Add();
    const std::string& message = waiting.message;
    sink_->Send(waiting.addresses,
                {reinterpret_cast<const std::uint8_t*>(message.data()), message.size()});
  }
}

}  // namespace collector
