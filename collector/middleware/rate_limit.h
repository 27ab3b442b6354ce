// Rate limit: what one peer may ask a second, so that a single device gone wild does not take the
// place of all others.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "collector/base/metrics.h"
#include "collector/middleware/middleware.h"

namespace collector {

struct RateLimitOptions {
  std::uint32_t requests_per_second_max = 0;  // for each peer; 0: no limit
  std::uint64_t seed = 0;                     // of the table's hash; secret in production
};

// A token bucket for each peer, in a table of constant size: 65,536 of them, 16 bytes each. A peer
// is an IPv4 address, or the first 64 bits of an IPv6 one; not the port, which a device may change
// with each request. It may ask two seconds' worth at once. When a peer's row of the table is full,
// the bucket goes that is filled first: a full one and none are the same. No clock, no socket.
class PeerBuckets {
 public:
  explicit PeerBuckets(const RateLimitOptions& options);

  // Takes a token. 0: there was one; else how long until there is one again.
  std::int64_t Take(const SocketAddress& peer, std::int64_t now_ns);

  // Buckets that went before they were full: peers who then may have had more than their limit.
  [[nodiscard]] std::uint64_t forgotten() const { return forgotten_; }

 private:
  static constexpr std::size_t kRows = 16'384;
  static constexpr std::size_t kBucketsPerRow = 4;  // a row is a cache line

  // When the bucket will be full again tells how many tokens it has now (the "generic cell rate
  // algorithm").
  struct Bucket {
    std::uint64_t peer = 0;  // hash
    std::int64_t full_ns = 0;
  };
  struct alignas(64) Row {
    std::array<Bucket, kBucketsPerRow> buckets;
  };

  std::uint64_t seed_;
  std::int64_t token_ns_;  // the time in which one comes
  std::uint64_t forgotten_ = 0;
  std::vector<Row> rows_;
};

// Answers 4.29 (RFC 8516), with the seconds to wait as Max-Age, to a peer that asks too often; NON
// requests too, which costs no more than to look at them. No limit: does nothing. Metrics outlive
// the chain.
Middleware LimitRate(const RateLimitOptions& options, Metrics* metrics);

}  // namespace collector
