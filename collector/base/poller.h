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

// Waits for readable descriptors. One thread: the one that loops. A callback may watch and forget
// others, not itself while it runs.
class Poller {
 public:
  using OnReadable = std::function<void()>;

  static Result<std::unique_ptr<Poller>> Create();

  // Calls `on_readable` whenever `fd` has something to read (level-triggered). `fd` must stay open
  // until Forget.
  Status Watch(int fd, OnReadable on_readable);
  void Forget(int fd);

  // Waits at most `timeout_ms` for readable descriptors; Dispatch calls the callbacks of those.
  // Apart, so that the time can be read in between.
  void Wait(int timeout_ms);
  void Dispatch();

 private:
  explicit Poller(UniqueFd epoll) : epoll_(std::move(epoll)) {}

  UniqueFd epoll_;
  std::unordered_map<int, OnReadable> callbacks_;
  std::vector<int> readable_;
};

}  // namespace collector
