#include "collector/middleware/request_sampler.h"

#include <array>
#include <cmath>
#include <set>

#include "tests/fakes/wire.h"
#include "tests/unit/catch.h"

namespace collector {
namespace {

const AddressPair kPeer = WirePeer(2, 40'000);

// So many requests, each with its number as its duration.
void AnswerRequests(RequestSampler* sampler, std::int64_t count) {
  Response response{.code = Code::kCreated};
  for (std::int64_t i = 0; i < count; ++i) {
    sampler->OnAnswer({Code::kPost, "/events", kPeer.remote, i}, &response);
  }
}

class HookSink : public ReplySink {
 public:
  void Answer(std::uint32_t, Response response) override {
    hook_->OnAnswer({Code::kGet, "/", kPeer.remote, 0}, &response);
  }
  void AddHook(std::uint32_t, AnswerHook* hook) override { hook_ = hook; }

 private:
  AnswerHook* hook_ = nullptr;
};

std::uint64_t RequestsIn(const std::vector<RequestSample>& samples) {
  std::uint64_t requests = 0;
  for (const RequestSample& sample : samples) requests += sample.requests;
  return requests;
}

}  // namespace

TEST_CASE("few requests are all sampled and stand for themselves") {
  RequestSampler sampler(3, 1);
  CHECK(sampler.began_ns() == kNever);
  CHECK(sampler.Take().empty());
  sampler.SetTime({.monotonic_ns = 50, .wall_ns = 1'000});
  Response created{.code = Code::kCreated};
  sampler.OnAnswer({Code::kPost, "/events", kPeer.remote, 300}, &created);
  sampler.SetTime({.monotonic_ns = 60, .wall_ns = 1'010});
  Response missing{.code = Code::kNotFound};
  sampler.OnAnswer({Code::kGet, "/x", kPeer.remote, 10}, &missing);
  CHECK(sampler.began_ns() == 50);
  const auto samples = sampler.Take();
  CHECK(sampler.began_ns() == kNever);
  REQUIRE(samples.size() == 2);
  CHECK(samples[0].arrived_wall_ns == 700);
  CHECK(samples[0].duration_ns == 300);
  CHECK(samples[0].method == Code::kPost);
  CHECK(samples[0].code == Code::kCreated);
  CHECK(samples[0].path == "/events");
  CHECK(samples[0].requests == 1);
  CHECK(samples[1].arrived_wall_ns == 1'000);
  CHECK(samples[1].path == "/x");
  CHECK(samples[1].requests == 1);
}

TEST_CASE("however many requests: the bound is kept, and the weights add up") {
  RequestSampler sampler(7, 2);
  for (const std::int64_t count : {6, 7, 8, 13, 100, 12'345, 1'000'000}) {
    AnswerRequests(&sampler, count);
    const auto samples = sampler.Take();
    CHECK(samples.size() == static_cast<std::size_t>(std::min<std::int64_t>(count, 7)));
    CHECK(RequestsIn(samples) == static_cast<std::uint64_t>(count));
    std::set<std::int64_t> numbers;
    for (const RequestSample& sample : samples) {
      numbers.insert(sample.duration_ns);
      const auto share = static_cast<std::uint64_t>(count) / samples.size();
      CHECK((sample.requests == share || sample.requests == share + 1));
    }
    CHECK(numbers.size() == samples.size());  // none is there twice
  }
}

TEST_CASE("no request is more likely to be sampled, or counts for more, than another") {
  constexpr std::int64_t kRequests = 45;
  constexpr int kRounds = 20'000;
  constexpr std::size_t kSamples = 4;
  RequestSampler sampler(kSamples, 3);
  std::array<int, kRequests> kept{};
  std::array<std::uint64_t, kRequests> weight{};
  for (int round = 0; round < kRounds; ++round) {
    AnswerRequests(&sampler, kRequests);
    for (const RequestSample& sample : sampler.Take()) {
      ++kept[static_cast<std::size_t>(sample.duration_ns)];
      weight[static_cast<std::size_t>(sample.duration_ns)] += sample.requests;
    }
  }
  // Binomial: 1,778 with a deviation of 40; a weight is 11.25 in the mean.
  for (std::size_t i = 0; i < kept.size(); ++i) {
    INFO("request " << i);
    CHECK(std::abs(kept[i] - 1'778) < 200);
    CHECK(std::abs(static_cast<double>(weight[i]) - 20'000) < 200 * 11.25);
  }
}

TEST_CASE("in a chain the sampler sees each answer") {
  RequestSampler sampler(10, 4);
  HookSink sink;
  const Handler handler = Chain({sampler.Wrap()}, [](const Request&, Reply reply) {
    std::move(reply).Send({.code = Code::kServiceUnavailable});
  });
  handler({}, Reply(&sink, 0));
  const auto samples = sampler.Take();
  REQUIRE(samples.size() == 1);
  CHECK(samples[0].code == Code::kServiceUnavailable);
}

}  // namespace collector
