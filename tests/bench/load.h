// The load: many devices, each POSTing events and waiting for their answers, with a fixed number
// of events in flight overall (a closed loop). A device retransmits as RFC 7252 section 4.2 says.
// Or, to see what overload does, an open loop: a fixed number of events a second, whatever becomes
// of them, each sent once.
// One thread; runs for a bounded time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/bench/device_socket.h"
#include "tests/bench/histogram.h"
#include "tests/bench/load_message.h"

namespace bench {

enum class Mode : std::uint8_t {
  kCoap,  // an event counts when its 2.01 is there
  kEcho,  // the same datagram must come back byte by byte
};

inline constexpr std::uint32_t kWindowMax = 65536;

struct LoadOptions {
  sockaddr_in target{};
  Mode mode = Mode::kCoap;
  std::uint32_t devices = 1000;
  std::int64_t clock_skew_ms = 1500;  // a device's clock is at most this wrong, either way
  std::uint32_t window = 4096;        // events in flight; a device may have several
  double rate = 0;                    // events a second in an open loop; 0: a closed one
  double warmup_s = 1;                // before measuring
  double measure_s = 5;               // then nothing new is sent
  double drain_s = 10;                // how long the last answers are waited for
  double timeout_s = 2;               // until the first retransmission; grows as in RFC 7252. In an
                                      // open loop: until an event is given up
  std::string acknowledged_path;  // where each event answered 2.01 is written to; empty: nowhere
};

struct LoadReport {
  std::uint64_t sent = 0;           // events, not datagrams
  std::uint64_t offered = 0;        // the same inside the measuring window
  std::uint64_t acknowledged = 0;   // 2.01, or echoed, ever
  std::uint64_t measured = 0;       // the same inside the measuring window
  double measured_s = 0;            // its real length
  std::uint64_t retransmitted = 0;  // datagrams
  std::uint64_t lost = 0;           // events given up after the last retransmission
  std::uint64_t unanswered = 0;     // events still open when the drain ended
  std::uint64_t late = 0;           // answers to events given up in an open loop
  std::uint64_t reset = 0;          // events answered by RST
  std::uint64_t empty_acks = 0;     // "later": the answer comes as a message of its own
  std::uint64_t separate = 0;       // such answers
  std::uint64_t unexpected = 0;     // datagrams that answer nothing in flight (or twice)
  std::uint64_t send_errors = 0;
  std::uint64_t drops = 0;      // of the load's own socket
  double cpu_ns_per_event = 0;  // of the load itself
  double busy = 0;              // share of the measuring window not spent waiting
  double answers_per_read = 0;  // 64 at most; near it, the load is what limits the rate
  Histogram latency;            // inside the measuring window, from the first transmission
  std::array<std::uint64_t, 256> codes{};  // answers by CoAP code
};

// Asks Load::Run to stop sending and to report. May be called from a signal handler.
void StopLoad();

class Load {
 public:
  explicit Load(const LoadOptions& options);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  LoadReport Run();

 private:
  // One event in flight. Its token is (generation << 16) | index of the flight.
  struct Flight {
    RequestBytes request;
    bool busy = false;
    std::uint8_t transmissions = 0;  // 0 once an empty ACK has come
    std::uint16_t generation = 0;
    std::int64_t first_sent_ns = 0;
    std::int64_t timeout_ns = 0;
    std::int64_t deadline_ns = 0;
  };
  struct Device {
    std::uint32_t time_ms = 0;        // of its last event, since base_ms_
    std::uint16_t readings_then = 0;  // its events with that timestamp
    std::uint16_t readings = 0;       // modulo kReadingsPerMillisecondMax
    std::uint16_t message_id = 0;
    std::int16_t clock_skew_ms = 0;
  };

  void PrepareDevices();
  std::int64_t NextTimestamp(Device* device) const;
  void Start(std::uint32_t index);
  void FillWindow();
  [[nodiscard]] bool IsDue() const;
  void Finish(std::uint32_t index);
  void Acknowledge(std::uint32_t index);
  void HandleArrivals();
  void CountLate(std::uint8_t code);
  void HandleEcho(const Arrival& arrival);
  void HandleCoap(const Arrival& arrival);
  void HandleEmpty(const Arrival& arrival, unsigned type, std::uint16_t message_id);
  void CheckDeadlines();
  void WriteAcknowledged(std::size_t bytes_min);
  [[nodiscard]] bool Measuring() const { return now_ns_ >= from_ns_ && now_ns_ < to_ns_; }
  // The flight of a token, or kNoFlight.
  [[nodiscard]] std::uint32_t FlightOf(std::uint32_t device, const std::uint8_t* token) const;

  static constexpr std::uint32_t kNoFlight = UINT32_MAX;

  const LoadOptions options_;
  DeviceSocket socket_;
  TimestampText timestamps_;
  std::vector<Device> devices_;
  std::vector<Flight> flights_;
  std::vector<std::uint64_t> keys_;  // by flight: device and message id, kNoKey when free
  std::vector<std::uint32_t> free_;  // indices of flights
  std::uint32_t next_device_ = 0;
  std::uint32_t stride_ = 1;  // through the devices, visiting each before one comes again
  std::uint64_t random_ = 0x9E3779B97F4A7C15;
  std::int64_t now_ns_ = 0;          // monotonic, read once a turn
  std::int64_t wall_offset_ns_ = 0;  // wall clock minus monotonic clock
  std::int64_t began_ns_ = 0;
  std::int64_t base_ms_ = 0;  // of the devices' clocks, Unix time
  std::int64_t from_ns_ = 0;  // the measuring window
  std::int64_t to_ns_ = 0;
  std::int64_t next_check_ns_ = 0;  // of the deadlines
  std::uint64_t reads_ = 0;         // that brought answers, inside the measuring window
  int acknowledged_fd_ = -1;
  std::string acknowledged_;  // not written yet
  LoadReport report_;
};

}  // namespace bench
