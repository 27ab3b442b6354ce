#include "collector/http/page_status.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "collector/base/clock.h"
#include "collector/store/sqlite/summary.h"

namespace collector {
namespace {

const char* PhaseOf(const ServiceState& state) {
  switch (state.phase.load(std::memory_order_relaxed)) {
    case ServiceState::Phase::kStarting:
      return "starting";
    case ServiceState::Phase::kDraining:
      return "draining";
    case ServiceState::Phase::kServing:
      break;
  }
  return "serving";
}

std::uintmax_t SizeOf(const std::string& path) {
  std::error_code error;
  const std::uintmax_t bytes = std::filesystem::file_size(path, error);
  return error ? 0 : bytes;
}

std::int64_t ResidentBytes() {
  std::int64_t pages = 0;
  std::ifstream statm("/proc/self/statm");
  statm >> pages >> pages;
  return pages * sysconf(_SC_PAGESIZE);
}

// Of a summary that is made again, or cannot keep up; the newest rows are taken by each query.
double ShareDone(const PageStatus& status) {
  if (status.behind <= kTailRowsMax || status.events_stored <= 0) return 1;
  const double share =
      1 - static_cast<double>(status.behind) / static_cast<double>(status.events_stored);
  return std::clamp(std::floor(share * 1000) / 1000, 0.0, 1.0);
}

}  // namespace

double PercentileMs(const DurationHistogram& histogram, double share) {
  std::uint64_t all = 0;
  for (std::size_t i = 0; i < DurationHistogram::kBuckets; ++i) all += histogram.Count(i);
  if (all == 0) return 0;
  std::uint64_t below = 0;
  std::size_t bucket = 0;
  for (; bucket + 2 < DurationHistogram::kBuckets; ++bucket) {
    below += histogram.Count(bucket);
    if (static_cast<double>(below) >= share * static_cast<double>(all)) break;
  }
  return static_cast<double>(DurationHistogram::UpperBoundUs(bucket)) / 1000;
}

std::string StatusJson(const PageStatus& status) {
  const Metrics& metrics = status.metrics;
  const bool failing = status.state.store_failing.load(std::memory_order_relaxed);
  const std::string phase = PhaseOf(status.state);
  const DurationHistogram& commits =
      status.database.empty() ? metrics.elasticsearch.request_time : metrics.store.commit_time;
  nlohmann::ordered_json json = {
      {"version", COLLECTOR_VERSION},
      {"store", status.state.store_name},
      {"phase", phase},
      {"state", phase == "draining" ? "draining"
                : failing           ? "failing"
                                    : "serving"},
      {"reason", nullptr},
      {"coap", status.state.coap_addresses},
      {"events_per_second", std::round(status.events_per_second * 10) / 10},
      {"stored_total", metrics.events.stored.Get()},
      {"duplicate_total", metrics.events.duplicate.Get()},
      {"refused_total", metrics.events.refused.Get()},
      {"not_now_total", metrics.events.not_now.Get()},
      {"pending", metrics.events.pending.Get()},
      {"commit_p50_ms", PercentileMs(commits, 0.5)},
      {"commit_p99_ms", PercentileMs(commits, 0.99)},
      {"resident_bytes", ResidentBytes()},
      {"database_bytes", 0},
      {"uptime_seconds", status.uptime_ns / kNsPerSecond},
      {"events_stored", status.events_stored},
      {"summary", {{"behind", status.behind}, {"share", ShareDone(status)}}},
      {"live", status.live},
      {"live_max", status.live_max}};
  if (failing) json["reason"] = "the store does not take events; the collector's log says why";
  if (!status.database.empty()) {
    json["database_bytes"] = SizeOf(status.database) + SizeOf(status.database + "-wal");
    json["summary_bytes"] =
        SizeOf(status.database + "-summary") + SizeOf(status.database + "-summary-wal");
  }
  return json.dump() + "\n";
}

}  // namespace collector
