#include "collector/base/poller.h"

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "collector/base/clock.h"
#include "tests/unit/catch.h"

namespace collector {
namespace {

// How often this thread went to sleep. Being interrupted does not count, nor does sched_yield.
long Sleeps() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_nvcsw;
}

// How often it sleeps in a wait that nothing ends but its timeout.
long SleepsUntilTimeout(Poller* poller, int timeout_ms) {
  const long before = Sleeps();
  poller->Wait(timeout_ms);
  return Sleeps() - before;
}

// The same for a wait that another thread ends after a while.
long SleepsUntilEvent(Poller* poller) {
  UniqueFd event(eventfd(0, EFD_CLOEXEC));
  bool seen = false;
  REQUIRE(poller->Watch(event.get(), [&seen] { seen = true; }).ok());
  std::thread other([&event] {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const std::uint64_t one = 1;
    if (write(event.get(), &one, sizeof(one)) != sizeof(one)) std::abort();
  });
  const long before = Sleeps();
  poller->Wait(10'000);
  const long sleeps = Sleeps() - before;
  poller->Dispatch();
  poller->Forget(event.get());
  other.join();
  CHECK(seen);
  return sleeps;
}

constexpr std::int64_t kHour = 3'600 * kNsPerSecond;

TEST_CASE("what is expected is waited for awake") {
  const auto poller = Poller::Create().value();
  CHECK(SleepsUntilTimeout(poller.get(), 1) == 1);
  poller->Expect(ReadClock().monotonic_ns + kHour);
  CHECK(SleepsUntilEvent(poller.get()) == 0);
  CHECK(SleepsUntilEvent(poller.get()) == 0);
  poller->Expect(0);
  CHECK(SleepsUntilTimeout(poller.get(), 1) == 1);
}

TEST_CASE("what does not come in its time is waited for asleep") {
  const auto poller = Poller::Create().value();
  poller->Expect(ReadClock().monotonic_ns + kNsPerMs / 10);
  CHECK(SleepsUntilTimeout(poller.get(), 1) == 1);
}

TEST_CASE("no wait stays awake for ever, and the next ones hardly") {
  const auto poller = Poller::Create().value();
  poller->Expect(ReadClock().monotonic_ns + kHour);
  CHECK(SleepsUntilTimeout(poller.get(), 1) == 1);
  const std::int64_t spent_ns = ReadClock().monotonic_ns;
  poller->Expect(spent_ns + kHour);
  CHECK(SleepsUntilTimeout(poller.get(), 1) == 1);
  CHECK(ReadClock().monotonic_ns - spent_ns < kNsPerSecond);
}

TEST_CASE("a wait of no time is over at once, whatever is expected") {
  const auto poller = Poller::Create().value();
  const std::int64_t began_ns = ReadClock().monotonic_ns;
  poller->Expect(began_ns + kHour);
  poller->Wait(0);
  CHECK(ReadClock().monotonic_ns - began_ns < kNsPerSecond);
}

}  // namespace
}  // namespace collector
