#include "collector/coap/exchange_table.h"

#include <algorithm>
#include <bit>

#include "collector/base/check.h"

namespace collector {
namespace {

constexpr std::size_t kEntriesMin = 16;
constexpr std::size_t kEntriesMax = std::size_t{1} << 30;
constexpr std::size_t kNoIndex = std::numeric_limits<std::size_t>::max();

// Zeroed by the system when first touched, so that an idle table costs nothing.
template <typename T>
T* AllocateZeroed(std::size_t count) {
  auto* memory = static_cast<T*>(std::calloc(count, sizeof(T)));
  CHECK(memory != nullptr);
  return memory;
}

}  // namespace

ExchangeTable::ExchangeTable(std::size_t entries_max)
    : capacity_(std::bit_ceil(std::clamp(entries_max, kEntriesMin, kEntriesMax))),
      ring_(AllocateZeroed<Exchange>(capacity_)),
      index_mask_(capacity_ * 2 - 1),
      index_(AllocateZeroed<Place>(capacity_ * 2)) {
  static_assert(sizeof(Exchange) == 24);
}

std::size_t ExchangeTable::FindIndex(std::uint64_t key) const {
  for (std::size_t i = Home(key); index_[i] != 0; i = (i + 1) & index_mask_) {
    if (ring_[index_[i] - 1].key == key) return i;
  }
  return kNoIndex;
}

ExchangeTable::Place ExchangeTable::Find(std::uint64_t key, std::int64_t now_ms) const {
  const std::size_t i = FindIndex(key);
  if (i == kNoIndex) return kNone;
  const Place place = index_[i] - 1;
  const Exchange& exchange = ring_[place];
  const std::uint32_t age_ms = static_cast<std::uint32_t>(now_ms) - exchange.arrived_ms;
  if (exchange.state != State::kPending && age_ms > kExchangeLifetimeMs) return kNone;
  return place;
}

// Linear probing without tombstones: whoever was pushed past the hole moves back into it.
void ExchangeTable::EraseIndex(std::size_t hole) {
  for (std::size_t i = (hole + 1) & index_mask_; index_[i] != 0; i = (i + 1) & index_mask_) {
    const std::size_t home = Home(ring_[index_[i] - 1].key);
    if (((i - home) & index_mask_) >= ((i - hole) & index_mask_)) {
      index_[hole] = index_[i];
      hole = i;
    }
  }
  index_[hole] = 0;
}

void ExchangeTable::Forget(Place place) {
  const std::size_t i = FindIndex(ring_[place].key);
  CHECK(i != kNoIndex && index_[i] == place + 1);
  EraseIndex(i);
  ring_[place].state = State::kForgotten;
  --size_;
}

void ExchangeTable::Append(const Exchange& exchange) {
  const auto place = static_cast<Place>(next_++ & (capacity_ - 1));
  CHECK(ring_[place].state == State::kForgotten);
  ring_[place] = exchange;
  std::size_t i = Home(exchange.key);
  while (index_[i] != 0) i = (i + 1) & index_mask_;
  index_[i] = place + 1;
  ++size_;
}

void ExchangeTable::Insert(std::uint64_t key, std::uint32_t request_hash, std::uint32_t ticket,
                           std::int64_t now_ms) {
  const std::size_t same = FindIndex(key);
  if (same != kNoIndex) Forget(index_[same] - 1);
  // Make room for one. Where pending exchanges alone fill the table (it is configured smaller than
  // the pending limit) the oldest of them is forgotten after all: it is still answered, but a
  // retransmission of it will be processed anew, and the event's id is what protects it then.
  for (std::size_t moved = 0;; ++moved) {
    const auto place = static_cast<Place>(next_ & (capacity_ - 1));
    if (ring_[place].state == State::kForgotten) break;
    const Exchange oldest = ring_[place];
    Forget(place);
    if (oldest.state != State::kPending || moved == capacity_) break;
    Append(oldest);
  }
  Exchange exchange;
  exchange.key = key;
  exchange.request_hash = request_hash;
  exchange.ticket_or_wall_ms = ticket;
  exchange.state = State::kPending;
  exchange.arrived_ms = static_cast<std::uint32_t>(now_ms);
  Append(exchange);
}

void ExchangeTable::Answered(std::uint64_t key, std::uint32_t ticket, std::uint8_t code,
                             bool replayable, std::int64_t arrived_wall_ms) {
  const std::size_t i = FindIndex(key);
  if (i == kNoIndex) return;
  Exchange& exchange = ring_[index_[i] - 1];
  if (exchange.state != State::kPending || exchange.ticket() != ticket) return;
  exchange.state = replayable ? State::kAnswered : State::kRepeat;
  exchange.code = code;
  exchange.ticket_or_wall_ms = static_cast<std::uint64_t>(arrived_wall_ms) & 0xffff'ffff'ffff;
}

}  // namespace collector
