#include "client/line_reader.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace collector::client {

LineReader::State LineReader::Next(std::chrono::milliseconds wait, std::string* line) {
  for (;;) {
    if (Take(line)) return State::kLine;
    if (buffer_.size() > kLineBytesMax) {
      buffer_.clear();
      if (!std::exchange(skipping_, true)) return State::kTooLong;
    }
    if (ended_) return State::kEnd;
    pollfd readable{.fd = fd_, .events = POLLIN, .revents = 0};
    if (poll(&readable, 1, static_cast<int>(wait.count())) <= 0) return State::kNotYet;
    std::array<char, 65'536>
        chunk;  // NOLINT(cppcoreguidelines-pro-type-member-init): read fills it
    const ssize_t size = read(fd_, chunk.data(), chunk.size());
    if (size < 0 && errno == EINTR) return State::kNotYet;
    if (size < 0) {
      ended_ = true;
      *line = std::strerror(errno);
      return State::kError;
    }
    ended_ = size == 0;
    buffer_.append(chunk.data(), static_cast<std::size_t>(size));
  }
}

// Moves the next line out of the buffer, if there is a whole one.
bool LineReader::Take(std::string* line) {
  for (;;) {
    const std::size_t end = buffer_.find('\n', taken_);
    const bool last = end == std::string::npos && ended_ && taken_ < buffer_.size();
    if (end == std::string::npos && !last) {
      buffer_.erase(0, std::exchange(taken_, 0));
      return false;
    }
    line->assign(buffer_, taken_, (last ? buffer_.size() : end) - taken_);
    taken_ = last ? buffer_.size() : end + 1;
    if (!line->empty() && line->back() == '\r') line->pop_back();
    if (!std::exchange(skipping_, false)) return true;
  }
}

}  // namespace collector::client
