// Somebody who means ill: datagrams from files, at a rate, each with the next of many loopback
// addresses as its source (far from those of `client load`), whatever is answered.
#include <time.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
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
};

std::vector<std::uint8_t> ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) bench::Die(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void Flood(const Options& options, Devices* socket) {
  std::vector<std::vector<std::uint8_t>> datagrams;
  for (const std::string& path : options.files) datagrams.push_back(ReadAll(path));
  const std::int64_t began_ns = bench::MonotonicNs();
  const auto length_ns = static_cast<std::int64_t>(options.seconds * kSecondNs);
  std::uint64_t sent = 0;
  std::int64_t elapsed_ns = 0;
  while (elapsed_ns < length_ns) {
    const double due = static_cast<double>(elapsed_ns) / 1e9 * options.rate;
    for (std::size_t i = 0; i < Devices::kBatchMax && static_cast<double>(sent) < due; ++i) {
      const auto source = static_cast<std::uint32_t>(sent % options.sources);
      socket->Queue(kFirstSource + source, datagrams[sent % datagrams.size()]);
      ++sent;
    }
    socket->Flush();
    elapsed_ns = bench::MonotonicNs() - began_ns;
    if (static_cast<double>(sent) >= static_cast<double>(elapsed_ns) / 1e9 * options.rate) {
      const timespec pause{.tv_sec = 0, .tv_nsec = kBurstNs};
      nanosleep(&pause, nullptr);
      elapsed_ns = bench::MonotonicNs() - began_ns;
    }
  }
  std::printf("{\"sent\":%llu,\"sent_per_s\":%.1f,\"send_errors\":%llu}\n",
              static_cast<unsigned long long>(sent),
              static_cast<double>(sent) * 1e9 / static_cast<double>(elapsed_ns),
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
  app.add_option("files", options.files, "one datagram each; they take turns")->required();
  CLI11_PARSE(app, argc, argv);
  auto socket = LoopbackDevices::Open(bench::ParseAddress(options.target));
  if (!socket.ok()) {
    std::fprintf(stderr, "%s\n", socket.error().message.c_str());
    return 1;
  }
  Flood(options, socket.value().get());
}
