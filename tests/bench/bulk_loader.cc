// Fills a data stream as fast as the engine takes it, with the documents that the collector would
// write for the events of `client load`: the engine's own ceiling, to compare the collector with.
// Each connection is a thread that posts one _bulk after the other. Ids are time first, as the
// collector's are, and all different. With --batch 1 --connections 1: what one document costs.
#include <curl/curl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "client/load/histogram.h"
#include "event/timestamp.h"
#include "tests/bench/udp.h"

namespace {

struct Options {
  std::string url = "http://127.0.0.1:9200";
  std::string stream = "metrics-coap.events-default";
  std::uint32_t batch = 1000;
  std::uint32_t connections = 2;
  std::uint32_t devices = 1000;
  double warmup_s = 2;
  double seconds = 5;
  int engine_pid = 0;
  bool json = false;
};

// Shared by the connections.
struct Clock {
  std::atomic<bool> measuring = false;
  std::atomic<bool> ending = false;
};

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "bulk_loader: %s\n", what.c_str());
  std::exit(1);
}

class Documents {
 public:
  Documents(std::uint32_t seed, std::uint32_t devices) : random_(seed), devices_(devices) {}

  void Append(std::string* out) {
    const std::int64_t now_ms = bench::WallNs() / 1'000'000;
    const std::string time = collector::FormatTimestamp(now_ms * 1'000'000);
    out->append(R"({"create":{"_id":")");
    AppendId(now_ms, out);
    char document[400];
    const auto device = static_cast<unsigned>(random_() % devices_);
    const auto tenths = static_cast<unsigned>(100 + random_() % 900);
    const int length = std::snprintf(
        document, sizeof(document),
        R"("}}
{"@timestamp":"%s","namespace":"default","sender":"load","origin":"d%06u",)"
        R"("payload":{"type":"temperature","value":%u.%u},"value":{"number":%u.%u},)"
        R"("event":{"ingested":"%s"}}
)",
        time.c_str(), device, tenths / 10, tenths % 10, tenths / 10, tenths % 10, time.c_str());
    out->append(document, static_cast<std::size_t>(length));
  }

 private:
  // 48 bits of milliseconds and 80 random ones, as 22 characters of url-safe base64.
  void AppendId(std::int64_t now_ms, std::string* out) {
    static constexpr std::string_view kDigits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (int shift = 42; shift >= 0; shift -= 6) {
      out->push_back(kDigits[static_cast<std::size_t>(now_ms >> shift & 63)]);
    }
    std::uint64_t bits = random_();
    for (int i = 0; i < 13; ++i) {
      if (i == 10) bits = random_();
      out->push_back(kDigits[bits & 63]);
      bits >>= 6;
    }
    out->push_back(kDigits[(bits & 3) << 4]);  // only two bits of the last one count
  }

  std::mt19937_64 random_;
  std::uint32_t devices_;
};

class Connection {
 public:
  Connection(const Options& options, const Clock* clock, std::uint32_t seed)
      : options_(options), clock_(clock), documents_(seed, options.devices) {
    url_ = options.url + "/" + options.stream +
           "/_bulk?filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason";
  }

  void Run() {
    CURL* const curl = curl_easy_init();
    curl_slist* headers = curl_slist_append(nullptr, "Content-Type: application/x-ndjson");
    headers = curl_slist_append(headers, "Expect:");
    curl_easy_setopt(curl, CURLOPT_URL, url_.c_str());
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, Take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer_);
    while (!clock_->ending) Post(curl);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
  }

  std::uint64_t stored = 0;  // while measuring
  collector::client::Histogram latency;

 private:
  static std::size_t Take(char* data, std::size_t size, std::size_t count, void* answer) {
    static_cast<std::string*>(answer)->append(data, size * count);
    return size * count;
  }

  void Post(CURL* curl) {
    body_.clear();
    answer_.clear();
    for (std::uint32_t i = 0; i < options_.batch; ++i) documents_.Append(&body_);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body_.data());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, static_cast<long>(body_.size()));
    const bool counts = clock_->measuring;
    const std::int64_t begin = bench::MonotonicNs();
    const CURLcode code = curl_easy_perform(curl);
    const std::int64_t end = bench::MonotonicNs();
    if (code != CURLE_OK) Fail(url_ + ": " + curl_easy_strerror(code));
    if (answer_.find("\"errors\":false") == std::string::npos) {
      Fail("not all were stored: " + answer_.substr(0, 500));
    }
    if (!counts || !clock_->measuring) return;
    stored += options_.batch;
    latency.Record(end - begin);
  }

  const Options& options_;
  const Clock* clock_;
  Documents documents_;
  std::string url_;
  std::string body_;
  std::string answer_;
};

// Seconds of CPU that a process has used; fields 14 and 15 of its stat.
double CpuSeconds(int pid) {
  if (pid == 0) return 0;
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(file, text);
  const std::size_t after_name = text.rfind(')');
  unsigned long user = 0;
  unsigned long system = 0;
  if (after_name == std::string::npos ||
      std::sscanf(text.c_str() + after_name + 2,
                  "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2) {
    Fail("no such process: " + std::to_string(pid));
  }
  return static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

void Report(const Options& options, const std::vector<Connection>& connections, double seconds,
            double engine_cpu_s) {
  std::uint64_t stored = 0;
  collector::client::Histogram latency;
  for (const Connection& connection : connections) {
    stored += connection.stored;
    latency.Add(connection.latency);
  }
  const double rate = static_cast<double>(stored) / seconds;
  const double cpu_us = stored == 0 ? 0 : engine_cpu_s * 1e6 / static_cast<double>(stored);
  const double p50_us = static_cast<double>(latency.Quantile(0.5)) / 1e3;
  const double p99_us = static_cast<double>(latency.Quantile(0.99)) / 1e3;
  if (options.json) {
    std::printf(
        "{\"documents_per_s\":%.1f,\"documents\":%llu,\"engine_cpu_us\":%.3f,"
        "\"request_us\":{\"p50\":%.1f,\"p99\":%.1f}}\n",
        rate, static_cast<unsigned long long>(stored), cpu_us, p50_us, p99_us);
  } else {
    std::printf(
        "%u connections x %u documents: %.0f/s, engine %.2f us CPU a document, "
        "request p50 %.0f p99 %.0f us\n",
        options.connections, options.batch, rate, cpu_us, p50_us, p99_us);
  }
}

void Sleep(double seconds) { usleep(static_cast<useconds_t>(seconds * 1e6)); }

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("The engine's own ceiling: _bulk requests from several connections");
  app.add_option("--url", options.url, "of the engine")->capture_default_str();
  app.add_option("--stream", options.stream, "data stream")->capture_default_str();
  app.add_option("--batch", options.batch, "documents a request")->capture_default_str();
  app.add_option("--connections", options.connections, "at a time")->capture_default_str();
  app.add_option("--devices", options.devices, "different origins")->capture_default_str();
  app.add_option("--warmup", options.warmup_s, "seconds before it")->capture_default_str();
  app.add_option("--seconds", options.seconds, "of the measurement")->capture_default_str();
  app.add_option("--engine-pid", options.engine_pid, "its process, for its CPU time");
  app.add_flag("--json", options.json, "report as one JSON object");
  CLI11_PARSE(app, argc, argv);

  curl_global_init(CURL_GLOBAL_ALL);
  Clock clock;
  std::vector<Connection> connections;
  std::random_device seed;
  for (std::uint32_t i = 0; i < options.connections; ++i) {
    connections.emplace_back(options, &clock, seed());
  }
  std::vector<std::thread> threads;
  threads.reserve(connections.size());
  for (Connection& connection : connections) {
    threads.emplace_back([&connection] { connection.Run(); });
  }
  Sleep(options.warmup_s);
  const double cpu = CpuSeconds(options.engine_pid);
  const std::int64_t begin = bench::MonotonicNs();
  clock.measuring = true;
  Sleep(options.seconds);
  clock.measuring = false;
  const double seconds = static_cast<double>(bench::MonotonicNs() - begin) / 1e9;
  const double engine_cpu_s = CpuSeconds(options.engine_pid) - cpu;
  clock.ending = true;
  for (std::thread& thread : threads) thread.join();
  Report(options, connections, seconds, engine_cpu_s);
}
