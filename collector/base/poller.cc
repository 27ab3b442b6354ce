#include "collector/base/poller.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace collector {

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
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return Error{ErrorCode::kIo, std::string("epoll_ctl: ") + std::strerror(errno)};
  }
  callbacks_[fd] = std::move(on_readable);
  return Ok{};
}

void Poller::Forget(int fd) {
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  callbacks_.erase(fd);
}

void Poller::Wait(int timeout_ms) {
  std::array<epoll_event, 16> events{};
  const int ready =
      epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout_ms);
  CHECK(ready >= 0 || errno == EINTR);
  readable_.clear();
  for (int i = 0; i < ready; ++i) {
    readable_.push_back(events[static_cast<std::size_t>(i)].data.fd);
  }
}

void Poller::Dispatch() {
  for (const int fd : readable_) {
    const auto found = callbacks_.find(fd);
    if (found != callbacks_.end()) found->second();
  }
}

}  // namespace collector
