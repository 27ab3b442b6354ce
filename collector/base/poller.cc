#include "collector/base/poller.h"

#include <sched.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "collector/base/clock.h"

namespace collector {
namespace {

// Waiting awake: a tenth of the time, and a second's worth of it at once.
constexpr std::int64_t kAwakeShare = 10;
constexpr std::int64_t kAwakeNsMax = kNsPerSecond;

epoll_event EventFor(int fd, Poller::Ready wanted) {
  epoll_event event{};
  event.events = (wanted.readable ? EPOLLIN : 0u) | (wanted.writable ? EPOLLOUT : 0u);
  event.data.fd = fd;
  return event;
}

}  // namespace

UniqueFd::~UniqueFd() {
  if (fd_ >= 0) close(fd_);
}

Result<std::unique_ptr<Poller>> Poller::Create() {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (epoll.get() < 0) {
    return Error{ErrorCode::kIo, std::string("epoll_create1: ") + std::strerror(errno)};
  }
  return std::unique_ptr<Poller>(new Poller(std::move(epoll)));
}

Status Poller::Watch(int fd, OnReadable on_readable) {
  return WatchFor(fd, {.readable = true}, [call = std::move(on_readable)](Ready) { call(); });
}

Status Poller::WatchFor(int fd, Ready wanted, OnReady on_ready) {
  epoll_event event = EventFor(fd, wanted);
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return Error{ErrorCode::kIo, std::string("epoll_ctl: ") + std::strerror(errno)};
  }
  callbacks_[fd] = std::make_shared<OnReady>(std::move(on_ready));
  return Ok{};
}

void Poller::Change(int fd, Ready wanted) {
  epoll_event event = EventFor(fd, wanted);
  CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0);
}

void Poller::Forget(int fd) {
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  callbacks_.erase(fd);
}

void Poller::Pause(int fd) { epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

void Poller::Resume(int fd) {
  epoll_event event = EventFor(fd, {.readable = true});
  CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0);
}

void Poller::Wait(int timeout_ms) {
  if (expected_until_ns_ != 0 && timeout_ms != 0 && TakeAwake()) return;
  Take(timeout_ms);
}

bool Poller::Take(int timeout_ms) {
  std::array<epoll_event, 16> events{};
  const int ready =
      epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout_ms);
  CHECK(ready >= 0 || errno == EINTR);
  ready_.clear();
  for (int i = 0; i < ready; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    ready_.push_back({event.data.fd,
                      {.readable = (event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0,
                       .writable = (event.events & EPOLLOUT) != 0}});
  }
  return ready > 0;
}

bool Poller::TakeAwake() {
  const std::int64_t began_ns = ReadClock().monotonic_ns;
  awake_left_ns_ = std::min(awake_left_ns_ + (began_ns - awake_ns_) / kAwakeShare, kAwakeNsMax);
  awake_ns_ = began_ns;
  const std::int64_t until_ns = std::min(expected_until_ns_, began_ns + awake_left_ns_);
  bool taken = false;
  while (!taken && awake_ns_ < until_ns) {
    taken = Take(0);
    if (!taken) sched_yield();
    awake_ns_ = ReadClock().monotonic_ns;
  }
  awake_left_ns_ -= awake_ns_ - began_ns;
  if (!taken) expected_until_ns_ = 0;
  return taken;
}

void Poller::Dispatch() {
  for (const auto& [fd, ready] : ready_) {
    const auto found = callbacks_.find(fd);
    if (found == callbacks_.end()) continue;
    const std::shared_ptr<OnReady> callback = found->second;  // it may forget itself
    (*callback)(ready);
  }
}

}  // namespace collector
