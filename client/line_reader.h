// Lines of a file or a pipe, without ever waiting long: the network has to be served meanwhile.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace collector::client {

class LineReader {
 public:
  static constexpr std::size_t kLineBytesMax = 1 << 20;

  enum class State {
    kLine,     // *line is the next one, without its end
    kTooLong,  // one of more than kLineBytesMax was skipped
    kNotYet,   // none within the wait, or a signal came
    kEnd,      // there are no more
    kError,    // reading failed; *line says why
  };

  explicit LineReader(int fd) : fd_(fd) {}  // not owned

  State Next(std::chrono::milliseconds wait, std::string* line);

 private:
  bool Take(std::string* line);

  const int fd_;
  std::string buffer_;
  std::size_t taken_ = 0;  // of the buffer, by earlier lines
  bool skipping_ = false;  // what comes until the line's end belongs to one too long
  bool ended_ = false;
};

}  // namespace collector::client
