// epoll with one callback a file descriptor, and the descriptors a loop needs besides its sockets.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "collector/base/result.h"

namespace collector {

// A file descriptor that is closed with its owner.
class UniqueFd {
 public:
  explicit UniqueFd(int fd = -1) : fd_(fd) {}
  ~UniqueFd();
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

// Waits for descriptors to be ready. One thread: the one that loops. A callback may watch, change
// and forget any, itself included.
class Poller {
 public:
  struct Ready {
    bool readable = false;  // also at its end and on its error
    bool writable = false;
    bool operator==(const Ready&) const = default;
  };
  using OnReady = std::function<void(Ready ready)>;
  using OnReadable = std::function<void()>;

  static Result<std::unique_ptr<Poller>> Create();

  // Calls `on_readable` whenever `fd` has something to read (level-triggered). `fd` must stay open
  // until Forget.
  Status Watch(int fd, OnReadable on_readable);
  void Forget(int fd);

  // The same for a descriptor that is waited for as `wanted` says, which may change.
  Status WatchFor(int fd, Ready wanted, OnReady on_ready);
  void Change(int fd, Ready wanted);

  // Nobody waits for a watched descriptor meanwhile: the kernel, which wakes who waits for a socket
  // after each datagram that it sends, has less to do.
  void Pause(int fd);
  void Resume(int fd);

  // Something will be ready before `until_ns` (monotonic), sooner than a sleeper would be woken:
  // until then Wait looks again and again, and lets others run in between, but does not sleep. At
  // most a tenth of a core in the long run; beyond that it sleeps. 0: nothing is expected.
  void Expect(std::int64_t until_ns) { expected_until_ns_ = until_ns; }

  // Waits at most `timeout_ms` for ready descriptors; Dispatch calls the callbacks of those.
  // Apart, so that the time can be read in between.
  void Wait(int timeout_ms);
  void Dispatch();

 private:
  explicit Poller(UniqueFd epoll) : epoll_(std::move(epoll)) {}
  bool Take(int timeout_ms);  // whether anything is ready
  bool TakeAwake();           // the same, until what is expected is there, or is late

  UniqueFd epoll_;
  std::int64_t expected_until_ns_ = 0;
  std::int64_t awake_left_ns_ = 0;  // what may be spent waiting awake, as of `awake_ns_`
  std::int64_t awake_ns_ = 0;
  std::unordered_map<int, std::shared_ptr<OnReady>> callbacks_;
  std::vector<std::pair<int, Ready>> ready_;
};

}  // namespace collector
