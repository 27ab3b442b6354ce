// Loads a collector, or a UDP echo for comparison, with events from many devices, and reports what
// was answered, how fast and how soon. Speaks CoAP by itself, without libcoap: it is an
// independent witness of the collector's answers.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <map>
#include <string>

#include "tests/bench/load.h"
#include "tests/bench/udp.h"

namespace {

using bench::LoadOptions;
using bench::LoadReport;
using bench::Mode;

void OnSignal(int) { bench::StopLoad(); }

double Microseconds(std::uint64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e3; }

double PerSecond(const LoadReport& report, std::uint64_t count) {
  return report.measured_s > 0 ? static_cast<double>(count) / report.measured_s : 0;
}

unsigned long long Number(std::uint64_t value) { return value; }

// The codes that came and how often: `quote`2.01`quote`: n, ...
std::string Codes(const LoadReport& report, const char* quote) {
  std::string text;
  for (unsigned code = 0; code < report.codes.size(); ++code) {
    if (report.codes[code] == 0) continue;
    char entry[64];
    std::snprintf(entry, sizeof(entry), "%s%s%u.%02u%s: %llu", text.empty() ? "" : ", ", quote,
                  code >> 5, code & 31U, quote, Number(report.codes[code]));
    text += entry;
  }
  return text;
}

void PrintText(const LoadOptions& options, const LoadReport& report) {
  std::printf("%s, %u devices, %u in flight, %.1f s measured after %.1f s\n",
              options.mode == Mode::kEcho ? "echo" : "coap", options.devices, options.window,
              report.measured_s, options.warmup_s);
  std::printf("  %-14s %.0f/s (%llu, %s)\n", "events", PerSecond(report, report.measured),
              Number(report.measured), options.mode == Mode::kEcho ? "came back" : "answered 2.01");
  std::printf("  %-14s %.0f/s\n", "offered", PerSecond(report, report.offered));
  std::printf("  %-14s p50 %.0f  p90 %.0f  p99 %.0f  p99.9 %.0f  max %.0f us\n", "latency",
              Microseconds(report.latency.Quantile(0.5)),
              Microseconds(report.latency.Quantile(0.9)),
              Microseconds(report.latency.Quantile(0.99)),
              Microseconds(report.latency.Quantile(0.999)), Microseconds(report.latency.max()));
  std::printf(
      "  %-14s %llu sent, %llu acknowledged, %llu lost, %llu unanswered, %llu late, %llu reset\n",
      "in all", Number(report.sent), Number(report.acknowledged), Number(report.lost),
      Number(report.unanswered), Number(report.late), Number(report.reset));
  std::printf("  %-14s %s\n", "answers", Codes(report, "").c_str());
  std::printf("  %-14s %llu retransmitted, %llu empty ACKs, %llu separate, %llu unexpected\n",
              "datagrams", Number(report.retransmitted), Number(report.empty_acks),
              Number(report.separate), Number(report.unexpected));
  std::printf(
      "  %-14s %.2f us CPU per event, %.0f %% busy, %.1f answers a read, %llu drops, "
      "%llu send errors\n",
      "load itself", report.cpu_ns_per_event / 1e3, report.busy * 100, report.answers_per_read,
      Number(report.drops), Number(report.send_errors));
}

void PrintJson(const LoadOptions& options, const LoadReport& report) {
  std::printf("{\"mode\":\"%s\",\"devices\":%u,\"window\":%u,\"measured_s\":%.3f,",
              options.mode == Mode::kEcho ? "echo" : "coap", options.devices, options.window,
              report.measured_s);
  std::printf("\"events\":%llu,\"events_per_s\":%.1f,\"offered_per_s\":%.1f,",
              Number(report.measured), PerSecond(report, report.measured),
              PerSecond(report, report.offered));
  std::printf(
      "\"latency_us\":{\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p99.9\":%.1f,\"max\":%.1f},",
      Microseconds(report.latency.Quantile(0.5)), Microseconds(report.latency.Quantile(0.9)),
      Microseconds(report.latency.Quantile(0.99)), Microseconds(report.latency.Quantile(0.999)),
      Microseconds(report.latency.max()));
  std::printf("\"sent\":%llu,\"acknowledged\":%llu,\"lost\":%llu,\"unanswered\":%llu,",
              Number(report.sent), Number(report.acknowledged), Number(report.lost),
              Number(report.unanswered));
  std::printf("\"late\":%llu,", Number(report.late));
  std::printf("\"reset\":%llu,\"retransmitted\":%llu,\"empty_acks\":%llu,\"separate\":%llu,",
              Number(report.reset), Number(report.retransmitted), Number(report.empty_acks),
              Number(report.separate));
  std::printf("\"unexpected\":%llu,\"send_errors\":%llu,\"drops\":%llu,", Number(report.unexpected),
              Number(report.send_errors), Number(report.drops));
  std::printf("\"load_cpu_us_per_event\":%.3f,\"load_busy\":%.3f,\"answers_per_read\":%.1f,",
              report.cpu_ns_per_event / 1e3, report.busy, report.answers_per_read);
  std::printf("\"answers\":{%s}}\n", Codes(report, "\"").c_str());
}

}  // namespace

int main(int argc, char** argv) {
  LoadOptions options;
  std::string target;
  bool json = false;
  CLI::App app("Many devices that send events and wait for their answers");
  app.add_option("--target", target, "ADDRESS:PORT of the collector or echo, IPv4")->required();
  app.add_option("--mode", options.mode, "coap, or echo: what is sent must come back")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, Mode>{{"coap", Mode::kCoap}, {"echo", Mode::kEcho}}));
  app.add_option("--devices", options.devices, "distinct source addresses")
      ->check(CLI::Range(1U, bench::kDevicesMax))
      ->capture_default_str();
  app.add_option("--clock-skew-ms", options.clock_skew_ms,
                 "how wrong a device's clock is at most, either way")
      ->check(CLI::Range(0, 30000))
      ->capture_default_str();
  app.add_option("--window", options.window, "events in flight overall")
      ->check(CLI::Range(1U, bench::kWindowMax))
      ->capture_default_str();
  app.add_option("--rate", options.rate,
                 "events a second, whatever becomes of them (an open loop); 0: the window decides")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--seconds", options.measure_s, "length of the measurement")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--warmup", options.warmup_s, "seconds of load before it")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--drain", options.drain_s, "seconds to wait for the last answers")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--timeout", options.timeout_s,
                 "seconds until the first retransmission (ACK_TIMEOUT), with --rate until an event "
                 "is given up")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--acknowledged", options.acknowledged_path,
                 "file for the events answered 2.01: origin, timestamp, value");
  app.add_flag("--json", json, "report as one JSON object");
  CLI11_PARSE(app, argc, argv);
  options.target = bench::ParseAddress(target);

  std::signal(SIGINT, OnSignal);
  std::signal(SIGTERM, OnSignal);
  const LoadReport report = bench::Load(options).Run();
  if (json) {
    PrintJson(options, report);
  } else {
    PrintText(options, report);
  }
}
