// A histogram of durations with buckets of equal relative width (1/128 of a power of two, so that a
// quantile is off by less than 1 %). Recording costs a shift and an increment.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace collector::client {

class Histogram {
 public:
  void Record(std::int64_t nanoseconds) {
    const std::uint64_t value = nanoseconds > 0 ? static_cast<std::uint64_t>(nanoseconds) : 0;
    ++counts_[Index(value)];
    ++total_;
    if (value > max_) max_ = value;
  }

  void Add(const Histogram& other) {
    for (std::size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
    total_ += other.total_;
    if (other.max_ > max_) max_ = other.max_;
  }

  // The duration that `fraction` (0 to 1) of all records do not exceed; 0 without records.
  [[nodiscard]] std::uint64_t Quantile(double fraction) const {
    const std::uint64_t wanted = static_cast<std::uint64_t>(fraction * static_cast<double>(total_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < kBuckets; ++i) {
      seen += counts_[i];
      if (seen > wanted) return Upper(i) < max_ ? Upper(i) : max_;
    }
    return max_;
  }

  [[nodiscard]] std::uint64_t max() const { return max_; }
  [[nodiscard]] std::uint64_t total() const { return total_; }

 private:
  static constexpr unsigned kSubBits = 7;
  static constexpr std::size_t kBuckets = (64 - kSubBits + 1) << kSubBits;

  static std::size_t Index(std::uint64_t value) {
    if (value < (1U << kSubBits)) return static_cast<std::size_t>(value);
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - kSubBits - 1;
    return (std::size_t{shift} << kSubBits) + static_cast<std::size_t>(value >> shift);
  }

  // The largest value of a bucket.
  static std::uint64_t Upper(std::size_t index) {
    if (index < (2U << kSubBits)) return index;
    const std::size_t shift = (index >> kSubBits) - 1;
    const std::uint64_t leading = (index & ((1U << kSubBits) - 1)) | (1U << kSubBits);
    return ((leading + 1) << shift) - 1;
  }

  std::array<std::uint64_t, kBuckets> counts_{};
  std::uint64_t total_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace collector::client
