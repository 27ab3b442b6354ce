// Values by a 64-bit key that is a hash, or counted: one cache line a look-up, where the nodes of
// std::unordered_map are three. No clock, no lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace collector {

// Key 0 is not taken; 2^32 of them at most. A pointer into it holds until the next change.
template <typename Value>
class FlatMap {
 public:
  [[nodiscard]] const Value* Find(std::uint64_t key) const {
    const std::size_t at = SlotOf(key);
    return slots_[at].key == key ? &slots_[at].value : nullptr;
  }

  void Insert(std::uint64_t key, Value value) {
    if (2 * (size_ + 1) > slots_.size()) Grow();
    Slot& slot = slots_[SlotOf(key)];
    if (slot.key == 0) ++size_;
    slot = {key, std::move(value)};
  }

  void Erase(std::uint64_t key) {
    std::size_t hole = SlotOf(key);
    if (slots_[hole].key != key) return;
    --size_;
    // Whoever was pushed past the hole moves back into it.
    for (std::size_t at = Next(hole); slots_[at].key != 0; at = Next(at)) {
      const std::size_t pushed = (at - Home(slots_[at].key)) & mask();
      if (pushed < ((at - hole) & mask())) continue;
      slots_[hole] = std::move(slots_[at]);
      hole = at;
    }
    slots_[hole] = {};
  }

  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Slot {
    std::uint64_t key = 0;
    Value value{};
  };

  [[nodiscard]] std::size_t mask() const { return slots_.size() - 1; }
  // Spreads what is counted as well (Fibonacci hashing).
  [[nodiscard]] std::size_t Home(std::uint64_t key) const {
    return (key * 0x9e37'79b9'7f4a'7c15 >> 32) & mask();
  }
  [[nodiscard]] std::size_t Next(std::size_t slot) const { return (slot + 1) & mask(); }
  // Where the key is, or would be.
  [[nodiscard]] std::size_t SlotOf(std::uint64_t key) const {
    std::size_t at = Home(key);
    while (slots_[at].key != 0 && slots_[at].key != key) at = Next(at);
    return at;
  }

  void Grow() {
    std::vector<Slot> before = std::exchange(slots_, std::vector<Slot>(2 * slots_.size()));
    for (Slot& slot : before) {
      if (slot.key != 0) slots_[SlotOf(slot.key)] = std::move(slot);
    }
  }

  std::vector<Slot> slots_ = std::vector<Slot>(16);  // a power of two, half of them free
  std::size_t size_ = 0;
};

}  // namespace collector
