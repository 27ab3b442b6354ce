// Counters that one thread writes and any thread reads. Written without a locked instruction,
// because the loop thread counts on the path of every event.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace collector {

// A number with one writing thread.
class Counter {
 public:
  void Add(std::uint64_t n = 1) { Set(Get() + n); }
  void Set(std::uint64_t n) { value_.store(n, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t Get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// Durations in buckets that grow by powers of two from 64 us; one writing thread.
class DurationHistogram {
 public:
  static constexpr std::size_t kBuckets = 20;  // the last: everything from 2^18 * 64 us (17 s) on

  static constexpr std::uint64_t UpperBoundUs(std::size_t bucket) { return 64ull << bucket; }

  void Observe(std::int64_t duration_ns) {
    const auto us = static_cast<std::uint64_t>(duration_ns < 0 ? 0 : duration_ns / 1000);
    std::size_t bucket = 0;
    while (bucket + 1 < kBuckets && us > UpperBoundUs(bucket)) ++bucket;
    counts_[bucket].Add();
    sum_us_.Add(us);
  }
  [[nodiscard]] std::uint64_t Count(std::size_t bucket) const { return counts_[bucket].Get(); }
  [[nodiscard]] bool Empty() const {
    return std::all_of(counts_.begin(), counts_.end(), [](const auto& c) { return c.Get() == 0; });
  }
  [[nodiscard]] std::uint64_t SumUs() const { return sum_us_.Get(); }

 private:
  std::array<Counter, kBuckets> counts_;
  Counter sum_us_;
};

// What requests are counted by: a path of ours, or all others together, because those are the
// senders' own words and there may be any number of them.
inline constexpr std::array<std::string_view, 4> kCountedPaths = {"/events", "/health",
                                                                  "/.well-known/core", "other"};

constexpr std::size_t CountedPath(std::string_view path) {
  std::size_t index = 0;
  while (index + 1 < kCountedPaths.size() && path != kCountedPaths[index]) ++index;
  return index;
}

// The answers to requests for one such path.
struct AnswerCounts {
  std::array<Counter, 256> by_code;
  std::array<DurationHistogram, 8> time_by_class;  // from arrival to answer, by the code's class

  void Add(std::uint8_t code) { by_code[code].Add(); }
  void Add(std::uint8_t code, std::int64_t duration_ns) {
    Add(code);
    time_by_class[code >> 5].Observe(duration_ns);
  }
};

// Everything /metrics tells. Each group has one writing thread, named beside it.
struct Metrics {
  struct {  // loop thread
    Counter datagrams_received;
    Counter datagrams_malformed;
    Counter datagrams_dropped_kernel;
    Counter datagrams_send_failed;
    Counter requests;
    Counter duplicates_pending;   // of a request whose answer is still withheld
    Counter duplicates_replayed;  // answered again from the exchange table
    Counter resets_sent;
    Counter echo_asked;          // requests that were answered with a challenge, and not processed
    Counter echo_proven;         // and those that brought it back
    Counter acknowledged_empty;  // requests whose answer took too long to travel with the ACK
    Counter separate_sent;       // confirmable answers; first transmissions
    Counter separate_retransmitted;  // and further ones
    Counter separate_reset;          // answered RST: the peer did not know of its request any more
    Counter separate_given_up;       // never acknowledged
    Counter separate_unconfirmed;    // sent non-confirmable, because too many waited
    Counter separate_waiting;        // gauge: for their acknowledgement
    Counter exchanges_pending;       // gauge
    Counter exchanges_remembered;    // gauge
    std::array<AnswerCounts, kCountedPaths.size()> answers;
    Counter rate_limit_forgotten;  // peers that the table of their limits had no room for
  } coap;
  struct {             // loop thread: CoAP over DTLS
    Counter sessions;  // gauge
    Counter sessions_evicted;
    Counter handshakes_succeeded;
    Counter handshakes_failed;
    Counter handshakes_refused;  // too many under way
    Counter datagrams_without_session;
    Counter records_discarded;
  } coaps;
  struct {               // loop thread: bodies that come in blocks
    Counter assembling;  // gauge
    Counter completed;
    Counter abandoned;  // their next block did not come, or they were begun anew
    Counter refused;    // too many at once
  } bodies;
  struct {  // loop thread
    Counter stored;
    Counter duplicate;
    Counter refused;
    Counter not_now;
    Counter pending;        // gauge
    Counter pending_bytes;  // gauge
    Counter oldest_ns;      // gauge: when the oldest of them arrived, monotonic; 0: none is pending
  } events;
  struct {  // the store's writer thread
    Counter commits;
    Counter commits_failed;
    Counter events_committed;
    DurationHistogram commit_time;
    Counter file_bytes;       // gauge: the database and its log
    Counter disk_bytes;       // gauge: of the file system they are on; 0: there is no file
    Counter disk_free_bytes;  // gauge
  } store;
  struct {  // loop thread
    Counter requests_ok;
    Counter requests_partial;  // answered, with items that were not taken
    Counter requests_failed;
    Counter requests_denied;  // 401, 403: for the operator
    DurationHistogram request_time;
    Counter requests_in_flight;  // gauge
    Counter items_stored;
    Counter items_duplicate;
    Counter items_refused;
    Counter items_not_now;
    Counter items_in_failure_store;  // stored, but in the stream's failure store
    Counter events_retried;
    Counter breaker_open;  // gauge, 0 or 1
    Counter breaker_opened;
  } elasticsearch;
  struct {  // loop thread: samples for the stream of request metrics
    Counter written;
    Counter dropped;  // the engine did not take them
  } request_metrics;
  struct {  // gauges, set once before the loop runs; 0: there is no such limit
    Counter pending_events;
    Counter pending_bytes;
    Counter bodies;
    Counter exchanges_remembered;
    Counter receive_buffer_bytes;
    Counter requests_per_second_per_peer;
    Counter elasticsearch_requests_in_flight;
    Counter started_wall_ns;  // when this process began
  } fixed;
};

}  // namespace collector
