// Somebody who means ill: datagrams from files, at a rate, each with the next of many loopback
// addresses as its source (far from those of `client load`), whatever is answered. Or almost: with
// --return-cookies a hello of DTLS that is asked for its cookie comes again with it, which shows
// that the address is real, and nothing follows.
#include <time.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "client/load/loopback_devices.h"
#include "tests/bench/udp.h"

namespace {

using collector::client::Devices;
using collector::client::LoopbackDevices;

constexpr std::uint32_t kFirstSource = 2'000'000;  // 127.31.132.128
constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kBurstNs = 1'000'000;

struct Options {
  std::string target;
  std::vector<std::string> files;
  std::uint32_t sources = 200'000;
  double rate = 50'000;
  double seconds = 10;
  bool return_cookies = false;
};

std::vector<std::uint8_t> ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) bench::Die(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

using Datagram = std::vector<std::uint8_t>;

// Where what is where (RFC 6347 section 4.2): record's and message's headers, version, random.
constexpr std::size_t kRecordBytes = 13;
constexpr std::size_t kSessionIdAt = kRecordBytes + 12 + 2 + 32;
constexpr std::size_t kAskedCookieAt = kRecordBytes + 12 + 2;
constexpr std::uint8_t kHelloVerifyRequest = 3;

void Add(std::uint8_t more, std::uint8_t* number) {
  const int sum = (number[0] << 8) + number[1] + more;
  number[0] = static_cast<std::uint8_t>(sum >> 8);
  number[1] = static_cast<std::uint8_t>(sum);
}

// The second hello, with the cookie that `answer` asks for; none if it asks for none.
Datagram WithCookie(const Datagram& hello, std::span<const std::uint8_t> answer) {
  if (hello.size() <= kSessionIdAt || answer.size() <= kAskedCookieAt ||
      answer[kRecordBytes] != kHelloVerifyRequest) {
    return {};
  }
  const std::uint8_t size = answer[kAskedCookieAt];
  const std::size_t at = kSessionIdAt + 1 + hello[kSessionIdAt];  // its length, which is 0
  if (answer.size() < kAskedCookieAt + 1 + size || at >= hello.size()) return {};
  Datagram again = hello;
  again[at] = size;
  const auto cookie = answer.subspan(kAskedCookieAt + 1, size);
  again.insert(again.begin() + static_cast<std::ptrdiff_t>(at) + 1, cookie.begin(), cookie.end());
  again[10] = 1;                         // the record's number
  Add(size, &again[11]);                 // its length
  Add(size, &again[kRecordBytes + 2]);   // the message's length
  again[kRecordBytes + 5] = 1;           // its number
  Add(size, &again[kRecordBytes + 10]);  // the fragment's length
  return again;
}

// How many hellos were sent again.
std::uint64_t ReturnCookies(const Datagram& hello, Devices* socket) {
  std::array<Datagram, Devices::kBatchMax> hellos;
  std::uint64_t count = 0;
  for (const auto& arrival : socket->Receive()) {
    Datagram& again = hellos[count];
    again = WithCookie(hello, arrival.bytes);
    if (again.empty()) continue;
    socket->Queue(arrival.device, again);
    ++count;
  }
  socket->Flush();
  return count;
}

void Flood(const Options& options, Devices* socket) {
  std::vector<Datagram> datagrams;
  for (const std::string& path : options.files) datagrams.push_back(ReadAll(path));
  const std::int64_t began_ns = bench::MonotonicNs();
  const auto length_ns = static_cast<std::int64_t>(options.seconds * kSecondNs);
  std::uint64_t sent = 0;
  std::uint64_t returned = 0;
  std::int64_t elapsed_ns = 0;
  while (elapsed_ns < length_ns) {
    const double due = static_cast<double>(elapsed_ns) / 1e9 * options.rate;
    for (std::size_t i = 0; i < Devices::kBatchMax && static_cast<double>(sent) < due; ++i) {
      const auto source = static_cast<std::uint32_t>(sent % options.sources);
      socket->Queue(kFirstSource + source, datagrams[sent % datagrams.size()]);
      ++sent;
    }
    socket->Flush();
    if (options.return_cookies) returned += ReturnCookies(datagrams[0], socket);
    elapsed_ns = bench::MonotonicNs() - began_ns;
    if (static_cast<double>(sent) >= static_cast<double>(elapsed_ns) / 1e9 * options.rate) {
      const timespec pause{.tv_sec = 0, .tv_nsec = kBurstNs};
      nanosleep(&pause, nullptr);
      elapsed_ns = bench::MonotonicNs() - began_ns;
    }
  }
  std::printf("{\"sent\":%llu,\"sent_per_s\":%.1f,\"cookies\":%llu,\"send_errors\":%llu}\n",
              static_cast<unsigned long long>(sent),
              static_cast<double>(sent) * 1e9 / static_cast<double>(elapsed_ns),
              static_cast<unsigned long long>(returned),
              static_cast<unsigned long long>(socket->send_errors()));
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Unasked datagrams from many addresses");
  app.add_option("--target", options.target, "ADDRESS:PORT, IPv4")->required();
  app.add_option("--sources", options.sources, "distinct source addresses")->capture_default_str();
  app.add_option("--rate", options.rate, "datagrams a second")->capture_default_str();
  app.add_option("--duration", options.seconds, "seconds")->capture_default_str();
  app.add_flag("--return-cookies", options.return_cookies, "the file is a hello of DTLS");
  app.add_option("files", options.files, "one datagram each; they take turns")->required();
  CLI11_PARSE(app, argc, argv);
  auto socket = LoopbackDevices::Open(bench::ParseAddress(options.target));
  if (!socket.ok()) {
    std::fprintf(stderr, "%s\n", socket.error().message.c_str());
    return 1;
  }
  Flood(options, socket.value().get());
}
