#include "collector/middleware/rate_limit.h"

#include "tests/fakes/wire.h"
#include "tests/unit/catch.h"

namespace collector {
namespace {

SocketAddress Peer(const char* text) {
  const auto address = SocketAddress::Parse(text);
  REQUIRE(address.ok());
  return address.value();
}

// How many of `asked` requests at one moment pass.
int Passes(PeerBuckets* buckets, const SocketAddress& peer, std::int64_t now_ns, int asked) {
  int passed = 0;
  for (int i = 0; i < asked; ++i) passed += buckets->Take(peer, now_ns) == 0 ? 1 : 0;
  return passed;
}

class KeepingSink : public ReplySink {
 public:
  void Answer(std::uint32_t, Response response) override { last = std::move(response); }
  void AddHook(std::uint32_t, AnswerHook*) override {}
  Response last;
};

}  // namespace

TEST_CASE("a peer has two seconds' worth at once, then its rate") {
  PeerBuckets buckets({.requests_per_second_max = 10});
  const SocketAddress peer = Peer("192.0.2.1:40000");
  std::int64_t now_ns = 5 * kNsPerSecond;
  CHECK(Passes(&buckets, peer, now_ns, 100) == 20);
  CHECK(buckets.Take(peer, now_ns) == kNsPerSecond / 10);
  CHECK(buckets.Take(peer, now_ns + kNsPerSecond / 20) == kNsPerSecond / 20);
  CHECK(Passes(&buckets, peer, now_ns += kNsPerSecond / 10, 100) == 1);
  CHECK(Passes(&buckets, peer, now_ns += kNsPerSecond, 100) == 10);
  CHECK(Passes(&buckets, peer, now_ns += 100 * kNsPerSecond, 100) == 20);
}

TEST_CASE("a peer is an address without its port, of IPv6 the first half") {
  const auto share = [](const char* one, const char* other) {
    PeerBuckets buckets({.requests_per_second_max = 1});
    Passes(&buckets, Peer(one), kNsPerSecond, 100);
    return Passes(&buckets, Peer(other), kNsPerSecond, 100) == 0;
  };
  CHECK(share("192.0.2.1:40000", "192.0.2.1:40001"));
  CHECK_FALSE(share("192.0.2.1:40000", "192.0.2.2:40000"));
  CHECK(share("[2001:db8:0:1::1]:1", "[2001:db8:0:1:ffff::2]:2"));
  CHECK_FALSE(share("[2001:db8:0:1::1]:1", "[2001:db8:0:2::1]:1"));
  CHECK(share("192.0.2.1:40000", "[::ffff:192.0.2.1]:40000"));
  CHECK_FALSE(share("[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.2]:1"));
}

TEST_CASE("more peers than there is room for: who asks most is remembered") {
  PeerBuckets buckets({.requests_per_second_max = 100});
  const SocketAddress greedy = Peer("192.0.2.1:1");
  CHECK(Passes(&buckets, greedy, kNsPerSecond, 1'000) == 200);
  CHECK(buckets.forgotten() == 0);
  for (std::uint32_t host = 1; host < 500'000; ++host) {
    buckets.Take(WirePeer(host, 1).remote, kNsPerSecond);
  }
  CHECK(Passes(&buckets, greedy, kNsPerSecond, 1'000) == 0);
  CHECK(buckets.forgotten() > 400'000);
}

TEST_CASE("a peer whose bucket is full again is not missed") {
  PeerBuckets buckets({.requests_per_second_max = 100});
  for (std::uint32_t host = 1; host < 500'000; ++host) {
    buckets.Take(WirePeer(host, 1).remote, host * kNsPerMs);
  }
  CHECK(buckets.forgotten() == 0);
}

TEST_CASE("over the limit a request is answered 4.29 with the seconds to wait") {
  KeepingSink sink;
  Metrics metrics;
  int passed = 0;
  const Handler handler = Chain({LimitRate({.requests_per_second_max = 1}, &metrics)},
                                [&passed](const Request&, Reply reply) {
                                  ++passed;
                                  std::move(reply).Send({.code = Code::kCreated});
                                });
  const SocketAddress peer = Peer("192.0.2.1:1");
  Request request;
  request.peer = &peer;
  request.arrived.monotonic_ns = 9 * kNsPerSecond;
  for (int i = 0; i < 3; ++i) handler(request, Reply(&sink, 0));
  CHECK(passed == 2);
  CHECK(sink.last.code == Code::kTooManyRequests);
  CHECK(ToString(sink.last.code) == "4.29");
  CHECK(sink.last.max_age_seconds == 1);
}

TEST_CASE("without a limit nothing is in the way") {
  int passed = 0;
  KeepingSink sink;
  Metrics metrics;
  const Handler handler = Chain({LimitRate({}, &metrics)}, [&passed](const Request&, Reply reply) {
    ++passed;
    std::move(reply).Send({.code = Code::kCreated});
  });
  for (int i = 0; i < 1'000; ++i) handler({}, Reply(&sink, 0));
  CHECK(passed == 1'000);
}

}  // namespace collector
