#include "client/line_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <string_view>
#include <utility>

#include "tests/unit/catch.h"

namespace collector::client {
namespace {

using State = LineReader::State;
constexpr std::chrono::milliseconds kNoWait{0};

class Pipe {
 public:
  Pipe() { REQUIRE(pipe(ends_.data()) == 0); }
  ~Pipe() {
    close(ends_[0]);
    if (ends_[1] >= 0) close(ends_[1]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  void Write(std::string_view text) {
    REQUIRE(write(ends_[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  void Close() { close(std::exchange(ends_[1], -1)); }
  [[nodiscard]] int fd() const { return ends_[0]; }

 private:
  std::array<int, 2> ends_{};
};

TEST_CASE("lines come when they are whole, the last one also without an end") {
  Pipe pipe;
  LineReader reader(pipe.fd());
  std::string line;
  CHECK(reader.Next(kNoWait, &line) == State::kNotYet);
  pipe.Write("on");
  CHECK(reader.Next(kNoWait, &line) == State::kNotYet);
  pipe.Write("e\ntwo\r\n\nthree");
  REQUIRE(reader.Next(kNoWait, &line) == State::kLine);
  CHECK(line == "one");
  REQUIRE(reader.Next(kNoWait, &line) == State::kLine);
  CHECK(line == "two");
  REQUIRE(reader.Next(kNoWait, &line) == State::kLine);
  CHECK(line.empty());
  CHECK(reader.Next(kNoWait, &line) == State::kNotYet);
  pipe.Close();
  REQUIRE(reader.Next(kNoWait, &line) == State::kLine);
  CHECK(line == "three");
  CHECK(reader.Next(kNoWait, &line) == State::kEnd);
  CHECK(reader.Next(kNoWait, &line) == State::kEnd);
}

TEST_CASE("a line that is too long is skipped, and told once") {
  Pipe pipe;
  LineReader reader(pipe.fd());
  std::string line;
  const std::string chunk(32'768, 'x');
  int told = 0;
  for (int i = 0; i < 80; ++i) {
    pipe.Write(chunk);
    const State state = reader.Next(kNoWait, &line);
    if (state == State::kTooLong) ++told;
    CHECK((state == State::kTooLong || state == State::kNotYet));
  }
  CHECK(told == 1);
  pipe.Write("\nnext\n");
  REQUIRE(reader.Next(kNoWait, &line) == State::kLine);
  CHECK(line == "next");
}

TEST_CASE("what cannot be read is told") {
  const int directory = open("/", O_RDONLY | O_DIRECTORY);
  REQUIRE(directory >= 0);
  LineReader reader(directory);
  std::string line;
  CHECK(reader.Next(kNoWait, &line) == State::kError);
  CHECK(line == "Is a directory");
  close(directory);
}

}  // namespace
}  // namespace collector::client
