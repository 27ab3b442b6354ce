#include "collector/coap/exchange_table.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>

#include "collector/base/check.h"

namespace collector {
namespace {

constexpr std::size_t kEntriesMin = 16;
constexpr std::size_t kEntriesMax = std::size_t{1} << 28;
constexpr std::size_t kNoIndex = std::numeric_limits<std::size_t>::max();

// How far ahead of an eviction its index entry is fetched, and what its erasure will look at.
constexpr std::uint64_t kIndexAhead = 8;
constexpr std::uint64_t kNeighboursAhead = 4;
constexpr std::size_t kNeighbours = 3;

// Zeroed by the system when first touched, so that an idle table costs nothing; in huge pages where
// there are any, because it is touched all over.
template <typename T>
T* MapZeroed(std::size_t count) {
  void* memory =
      mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(memory != MAP_FAILED);
  madvise(memory, count * sizeof(T), MADV_HUGEPAGE);
  return static_cast<T*>(memory);
}

}  // namespace

ExchangeTable::ExchangeTable(std::size_t entries_max)
    : capacity_(std::bit_ceil(std::clamp(entries_max, kEntriesMin, kEntriesMax))),
      place_bits_(std::countr_zero(capacity_)),
      ring_(MapZeroed<Exchange>(capacity_), Unmap{capacity_ * sizeof(Exchange)}),
      index_mask_(capacity_ * 2 - 1),
      index_(MapZeroed<std::uint32_t>(capacity_ * 2),
             Unmap{capacity_ * 2 * sizeof(std::uint32_t)}) {
  static_assert(sizeof(Exchange) == 24);
}

std::size_t ExchangeTable::FindIndex(std::uint64_t key) const {
  for (std::size_t i = Home(key); index_[i] != 0; i = (i + 1) & index_mask_) {
    const Place place = PlaceOf(index_[i]);
    if (index_[i] == EntryOf(key, place) && ring_[place].key == key) return i;
  }
  return kNoIndex;
}

void ExchangeTable::Unmap::operator()(void* memory) const { munmap(memory, bytes); }

ExchangeTable::Place ExchangeTable::Find(std::uint64_t key, std::int64_t now_ms) const {
  const std::size_t i = FindIndex(key);
  if (i == kNoIndex) return kNone;
  const Place place = PlaceOf(index_[i]);
  const Exchange& exchange = ring_[place];
  const std::uint32_t age_ms = static_cast<std::uint32_t>(now_ms) - exchange.arrived_ms;
  if (exchange.state != State::kPending && age_ms > kExchangeLifetimeMs) return kNone;
  return place;
}

// Linear probing without tombstones: whoever was pushed past the hole moves back into it.
void ExchangeTable::EraseIndex(std::size_t hole) {
  for (std::size_t i = (hole + 1) & index_mask_; index_[i] != 0; i = (i + 1) & index_mask_) {
    const std::size_t home = Home(ring_[PlaceOf(index_[i])].key);
    if (((i - home) & index_mask_) >= ((i - hole) & index_mask_)) {
      index_[hole] = index_[i];
      hole = i;
    }
  }
  index_[hole] = 0;
}

void ExchangeTable::Forget(Place place) {
  const std::size_t i = FindIndex(ring_[place].key);
  CHECK(i != kNoIndex && PlaceOf(index_[i]) == place);
  EraseIndex(i);
  ring_[place].state = State::kForgotten;
  --size_;
}

ExchangeTable::Place ExchangeTable::Append(const Exchange& exchange) {
  const auto place = static_cast<Place>(next_++ & (capacity_ - 1));
  CHECK(ring_[place].state == State::kForgotten);
  ring_[place] = exchange;
  std::size_t i = Home(exchange.key);
  while (index_[i] != 0) i = (i + 1) & index_mask_;
  index_[i] = EntryOf(exchange.key, place);
  ++size_;
  return place;
}

void ExchangeTable::PrefetchEvictions() const {
  const Exchange& soon = ring_[(next_ + kIndexAhead) & (capacity_ - 1)];
  if (soon.state != State::kForgotten) __builtin_prefetch(&index_[Home(soon.key)]);
  const Exchange& sooner = ring_[(next_ + kNeighboursAhead) & (capacity_ - 1)];
  if (sooner.state == State::kForgotten) return;
  for (std::size_t i = 0; i < kNeighbours; ++i) {
    const std::uint32_t entry = index_[(Home(sooner.key) + i) & index_mask_];
    if (entry != 0) __builtin_prefetch(&ring_[PlaceOf(entry)]);
  }
}

ExchangeTable::Place ExchangeTable::Insert(std::uint64_t key, std::uint32_t request_hash,
                                           std::uint32_t ticket, std::int64_t now_ms) {
  const std::size_t same = FindIndex(key);
  if (same != kNoIndex) Forget(PlaceOf(index_[same]));
  PrefetchEvictions();
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
  return Append(exchange);
}

void ExchangeTable::Answered(std::uint64_t key, std::uint32_t ticket, Place place,
                             const Answer& answer) {
  const auto is_it = [&](const Exchange& exchange) {
    return exchange.key == key && exchange.state == State::kPending && exchange.ticket() == ticket;
  };
  if (!is_it(ring_[place])) {
    const std::size_t i = FindIndex(key);
    if (i == kNoIndex || !is_it(ring_[PlaceOf(index_[i])])) return;
    place = PlaceOf(index_[i]);
  }
  Exchange& exchange = ring_[place];
  exchange.state = answer.replayable ? State::kAnswered : State::kRepeat;
  exchange.code = answer.code;
  exchange.ticket_or_wall_ms =
      static_cast<std::uint64_t>(answer.arrived_wall_ms) & 0xffff'ffff'ffff;
}

}  // namespace collector
