#include "collector/middleware/rate_limit.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

namespace collector {
namespace {

constexpr std::int64_t kBurstSeconds = 2;

std::uint64_t HashOf(const SocketAddress& peer, std::uint64_t seed) {
  if (peer.family() == AF_INET) {
    return XXH3_64bits_withSeed(&peer.v4().sin_addr, sizeof(in_addr), seed);
  }
  // A dual-stack socket shows an IPv4 peer as ::ffff:a.b.c.d.
  const in6_addr& address = peer.v6().sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&address)) return XXH3_64bits_withSeed(&address.s6_addr[12], 4, seed);
  return XXH3_64bits_withSeed(&address.s6_addr, 8, seed);
}

}  // namespace

PeerBuckets::PeerBuckets(const RateLimitOptions& options)
    : seed_(options.seed),
      token_ns_(kNsPerSecond / options.requests_per_second_max),
      rows_(kRows) {}

std::int64_t PeerBuckets::Take(const SocketAddress& peer, std::int64_t now_ns) {
  const std::uint64_t hash = HashOf(peer, seed_);
  auto& buckets = rows_[hash % kRows].buckets;
  Bucket* bucket = std::find_if(buckets.begin(), buckets.end(),
                                [hash](const Bucket& other) { return other.peer == hash; });
  if (bucket == buckets.end()) {
    bucket = std::min_element(buckets.begin(), buckets.end(),
                              [](const auto& a, const auto& b) { return a.full_ns < b.full_ns; });
    if (bucket->full_ns > now_ns) ++forgotten_;
    *bucket = {.peer = hash, .full_ns = now_ns};
  }
  const std::int64_t full_ns = std::max(bucket->full_ns, now_ns) + token_ns_;
  const std::int64_t missing_ns = full_ns - now_ns - kBurstSeconds * kNsPerSecond;
  if (missing_ns > 0) return missing_ns;
  bucket->full_ns = full_ns;
  return 0;
}

Middleware LimitRate(const RateLimitOptions& options, Metrics* metrics) {
  if (options.requests_per_second_max == 0) return PassOn();
  const auto buckets = std::make_shared<PeerBuckets>(options);
  return [buckets, metrics](Handler next) -> Handler {
    return [buckets, metrics, next = std::move(next)](const Request& request, Reply reply) {
      const std::int64_t wait_ns = buckets->Take(*request.peer, request.arrived.monotonic_ns);
      metrics->coap.rate_limit_forgotten.Set(buckets->forgotten());
      if (wait_ns == 0) return next(request, std::move(reply));
      Response response = Response::Diagnostic(Code::kTooManyRequests, "sends too fast");
      response.max_age_seconds =
          static_cast<std::uint32_t>((wait_ns + kNsPerSecond - 1) / kNsPerSecond);
      std::move(reply).Send(std::move(response));
    };
  };
}

}  // namespace collector
