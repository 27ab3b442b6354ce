// Which exchanges were seen: what makes a retransmission find its first answer instead of being
// processed again (RFC 7252 section 4.5). Bounded; the oldest goes out first. No clock, no socket.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>

namespace collector {

// RFC 7252 section 4.8.2.
inline constexpr std::int64_t kExchangeLifetimeMs = 247'000;

// 24 bytes an exchange, and 8 in the index. The peer, message id and token are kept as a keyed
// 64-bit hash, the request as a 32-bit one: two different requests are taken for one with a
// probability of 2^-96 a pair.
class ExchangeTable {
 public:
  // A place in the table, good until the next Insert; kNone: no such exchange.
  using Place = std::uint32_t;
  static constexpr Place kNone = std::numeric_limits<Place>::max();

  enum class State : std::uint8_t {
    kForgotten,  // the place is empty
    kPending,    // its request is being processed: `ticket` tells by whom
    kAnswered,   // by `code` and nothing else: can be answered again from here
    kRepeat,     // answered with more than a code: process again, as arrived at `arrived_wall_ms`
  };

  struct Exchange {
    std::uint64_t key = 0;
    std::uint64_t ticket_or_wall_ms : 48 = 0;
    std::uint64_t code : 8 = 0;
    State state : 8 = State::kForgotten;
    std::uint32_t request_hash = 0;
    std::uint32_t arrived_ms = 0;  // monotonic; wraps after 49 days, compared modulo

    [[nodiscard]] std::uint32_t ticket() const {
      return static_cast<std::uint32_t>(ticket_or_wall_ms);
    }
    [[nodiscard]] std::int64_t arrived_wall_ms() const {
      return static_cast<std::int64_t>(ticket_or_wall_ms);
    }
  };

  // `entries_max` is rounded up to a power of two. Memory is touched as it is used.
  explicit ExchangeTable(std::size_t entries_max);

  // Says that Find will be called for this key, so that its memory is on the way meanwhile.
  void Prefetch(std::uint64_t key) const { __builtin_prefetch(&index_[Home(key)]); }

  // The live exchange with this key.
  [[nodiscard]] Place Find(std::uint64_t key, std::int64_t now_ms) const;
  [[nodiscard]] const Exchange& At(Place place) const { return ring_[place]; }

  // Remembers a new pending exchange. One with the same key, and when the table is full the oldest,
  // is forgotten; but a pending one is kept, by moving it to the young end. Returns where it is.
  Place Insert(std::uint64_t key, std::uint32_t request_hash, std::uint32_t ticket,
               std::int64_t now_ms);

  // A pending exchange was answered. `place`: where Insert put it; it is found if it has moved.
  // `replayable`: by `code` alone.
  struct Answer {
    std::uint8_t code;
    bool replayable;
    std::int64_t arrived_wall_ms;
  };
  void Answered(std::uint64_t key, std::uint32_t ticket, Place place, const Answer& answer);

  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  // An index entry is a place and, above it, as many bits of the key as there is room for, so that
  // probing past another's entry seldom has to look into the ring; plus 1, because 0 is empty.
  [[nodiscard]] std::uint32_t EntryOf(std::uint64_t key, Place place) const {
    const auto tag = static_cast<std::uint32_t>(key >> (33 + place_bits_));
    return (tag << place_bits_ | place) + 1;
  }
  [[nodiscard]] Place PlaceOf(std::uint32_t entry) const {
    return (entry - 1) & static_cast<Place>(capacity_ - 1);
  }
  [[nodiscard]] std::size_t Home(std::uint64_t key) const { return key & index_mask_; }
  [[nodiscard]] std::size_t FindIndex(std::uint64_t key) const;  // or kNoIndex
  void EraseIndex(std::size_t hole);
  void PrefetchEvictions() const;
  void Forget(Place place);
  Place Append(const Exchange& exchange);

  struct Unmap {
    std::size_t bytes;
    void operator()(void* memory) const;
  };

  std::size_t capacity_;  // a power of two
  int place_bits_;
  std::unique_ptr<Exchange[], Unmap> ring_;        // by age
  std::size_t index_mask_;                         // the index has twice the capacity
  std::unique_ptr<std::uint32_t[], Unmap> index_;  // open addressing, linear probing
  std::uint64_t next_ = 0;                         // where the next one goes, modulo the ring
  std::size_t size_ = 0;
};

}  // namespace collector
