#include "collector/base/notify.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "collector/base/poller.h"

namespace collector {
namespace {

std::int64_t NumberOr(const char* text, std::int64_t otherwise) {
  if (text == nullptr) return otherwise;
  const std::string_view digits(text);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return error == std::errc() && end == digits.data() + digits.size() ? number : otherwise;
}

}  // namespace

Notifier::Notifier(const Environment& environment, std::int64_t pid, std::int64_t stop_seconds)
    : stop_seconds_(stop_seconds) {
  const char* socket = environment("NOTIFY_SOCKET");
  if (socket == nullptr || *socket == '\0') return;
  socket_ = socket;
  const std::int64_t watchdog_us = NumberOr(environment("WATCHDOG_USEC"), 0);
  if (watchdog_us <= 0 || NumberOr(environment("WATCHDOG_PID"), pid) != pid) return;
  watchdog_interval_ns_ = watchdog_us * 1'000 / 2;
  due_ns_ = 0;
}

Status Notifier::Ready(const std::string& status) { return Send("READY=1\nSTATUS=" + status, 0); }

void Notifier::Stopping() {
  (void)Send("STOPPING=1\nSTATUS=Storing what was accepted\nEXTEND_TIMEOUT_USEC=" +
                 std::to_string(stop_seconds_ * 1'000'000),
             MSG_DONTWAIT);
}

void Notifier::TellWatchdog(std::int64_t now_ns) {
  due_ns_ = now_ns + watchdog_interval_ns_;
  (void)Send("WATCHDOG=1", MSG_DONTWAIT);  // one that is lost is followed by another in time
}

Status Notifier::Send(const std::string& message, int flags) const {
  if (socket_.empty()) return Ok{};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_.size() >= sizeof(address.sun_path)) {
    return Error{ErrorCode::kConfig, "NOTIFY_SOCKET '" + socket_ + "' is too long for a socket"};
  }
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  if (socket_[0] == '@') address.sun_path[0] = '\0';  // in the abstract namespace
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (sendto(fd.get(), message.data(), message.size(), flags | MSG_NOSIGNAL,
             reinterpret_cast<const sockaddr*>(&address), length) < 0) {
    return Error{ErrorCode::kUnavailable,
                 "NOTIFY_SOCKET '" + socket_ + "' cannot be written: " + std::strerror(errno)};
  }
  return Ok{};
}

}  // namespace collector
