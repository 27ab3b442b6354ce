// The other half of the baseline: what a sender that does nothing can do on this machine. Keeps a
// window of datagrams in flight toward an echo, from the same loopback addresses as `client load`,
// without CoAP, events or retransmission. What does not come back within a second is replaced.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "client/load/histogram.h"
#include "client/load/loopback_devices.h"
#include "tests/bench/udp.h"

namespace {

using collector::client::Arrival;
using collector::client::Devices;
using collector::client::Histogram;
using collector::client::LoopbackDevices;

constexpr std::size_t kBytes = 185;  // of an event of `client load`
constexpr std::int64_t kSecondNs = 1'000'000'000;

struct Options {
  std::string target;
  std::uint32_t devices = 1000;
  std::uint32_t window = 16384;
  double seconds = 5;
  double warmup_s = 1;
};

struct Datagram {
  std::array<std::uint8_t, kBytes> bytes{};  // its index and number, then zeroes
  std::uint32_t number = 0;
  std::int64_t sent_ns = 0;
};

class Blaster {
 public:
  Blaster(const Options& options, Devices* socket)
      : options_(options), socket_(socket), datagrams_(options.window) {}

  void Run() {
    began_ns_ = now_ns_ = bench::MonotonicNs();
    from_ns_ = now_ns_ + Nanoseconds(options_.warmup_s);
    const std::int64_t to_ns = from_ns_ + Nanoseconds(options_.seconds);
    const std::int64_t cpu_ns = bench::CpuNs();
    for (std::uint32_t i = 0; i < options_.window; ++i) Send(i);
    while (now_ns_ < to_ns) {
      socket_->Flush();
      const auto arrivals = socket_->Receive();
      now_ns_ = bench::MonotonicNs();
      if (!arrivals.empty() && now_ns_ >= from_ns_) ++reads_;
      for (const Arrival& arrival : arrivals) Take(arrival);
      if (now_ns_ >= next_check_ns_) Replace();
    }
    Print(bench::CpuNs() - cpu_ns);
  }

 private:
  static std::int64_t Nanoseconds(double seconds) {
    return static_cast<std::int64_t>(seconds * kSecondNs);
  }

  void Send(std::uint32_t index) {
    Datagram& datagram = datagrams_[index];
    ++datagram.number;
    datagram.sent_ns = now_ns_;
    std::memcpy(datagram.bytes.data(), &index, sizeof(index));
    std::memcpy(&datagram.bytes[4], &datagram.number, sizeof(datagram.number));
    socket_->Queue(device_, datagram.bytes);
    if (++device_ == options_.devices) device_ = 0;
    ++sent_;
  }

  void Take(const Arrival& arrival) {
    std::uint32_t index = 0;
    std::uint32_t number = 0;
    if (arrival.bytes.size() != kBytes) return;
    std::memcpy(&index, arrival.bytes.data(), sizeof(index));
    std::memcpy(&number, &arrival.bytes[4], sizeof(number));
    if (index >= datagrams_.size() || datagrams_[index].number != number) return;
    ++came_back_;
    if (now_ns_ >= from_ns_) latency_.Record(now_ns_ - datagrams_[index].sent_ns);
    Send(index);
  }

  void Replace() {
    next_check_ns_ = now_ns_ + kSecondNs / 10;
    for (std::uint32_t i = 0; i < datagrams_.size(); ++i) {
      if (now_ns_ - datagrams_[i].sent_ns < kSecondNs) continue;
      ++lost_;
      Send(i);
    }
  }

  static double Us(std::uint64_t ns) { return static_cast<double>(ns) / 1e3; }

  void Print(std::int64_t cpu_ns) const {
    const double seconds = static_cast<double>(now_ns_ - from_ns_) / 1e9;
    const auto number = [](std::uint64_t value) -> unsigned long long { return value; };
    std::printf("{\"events_per_s\":%.1f,\"sent\":%llu,\"stored\":%llu,\"unanswered\":%llu,",
                static_cast<double>(latency_.total()) / seconds, number(sent_), number(came_back_),
                number(lost_));
    std::printf("\"latency_us\":{\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"max\":%.1f},",
                Us(latency_.Quantile(0.5)), Us(latency_.Quantile(0.9)), Us(latency_.Quantile(0.99)),
                Us(latency_.max()));
    std::printf("\"elapsed_s\":%.3f,\"answers\":{},",
                static_cast<double>(now_ns_ - began_ns_) / 1e9);
    std::printf("\"load_cpu_us_per_event\":%.3f,\"answers_per_read\":%.1f,\"drops\":%llu}\n",
                static_cast<double>(cpu_ns) / 1e3 /
                    static_cast<double>(std::max<std::uint64_t>(came_back_, 1)),
                static_cast<double>(latency_.total()) /
                    static_cast<double>(std::max<std::uint64_t>(reads_, 1)),
                number(socket_->drops()));
  }

  const Options options_;
  Devices* const socket_;
  std::vector<Datagram> datagrams_;
  std::uint32_t device_ = 0;
  std::int64_t now_ns_ = 0;
  std::int64_t began_ns_ = 0;
  std::int64_t from_ns_ = 0;
  std::int64_t next_check_ns_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t came_back_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t reads_ = 0;
  Histogram latency_;
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Datagrams to a UDP echo, as fast as they come back");
  app.add_option("--target", options.target, "ADDRESS:PORT of the echo, IPv4")->required();
  app.add_option("--devices", options.devices, "distinct source addresses")->capture_default_str();
  app.add_option("--window", options.window, "datagrams in flight overall")->capture_default_str();
  app.add_option("--duration", options.seconds, "seconds measured")->capture_default_str();
  app.add_option("--warmup", options.warmup_s, "seconds before it")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  auto socket = LoopbackDevices::Open(bench::ParseAddress(options.target));
  if (!socket.ok()) {
    std::fprintf(stderr, "%s\n", socket.error().message.c_str());
    return 1;
  }
  Blaster(options, socket.value().get()).Run();
}
