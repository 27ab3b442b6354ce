// The simulated devices as a state machine without sockets and without a clock of its own. Each
// POSTs events and waits for their answers. Closed loop: a fixed number of events is in flight
// overall. Open loop: so many events are due a second, whatever becomes of them, and an event's
// time counts from when it was due, also where it had to wait for room. A device retransmits as
// RFC 7252 section 4.2 says.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "client/load/answer_reader.h"
#include "client/load/devices.h"
#include "client/load/histogram.h"
#include "client/load/request_maker.h"
#include "client/tally.h"
#include "collector/base/clock.h"

namespace collector::client {

inline constexpr std::uint32_t kWindowMax = 65'536;
inline constexpr std::uint64_t kEventsMax = 1'000'000'000'000;
inline constexpr std::int64_t kClockSkewMsMax = 30'000;

struct FleetOptions {
  std::uint32_t devices = 100;
  std::uint32_t window = 100;         // events in flight at most; a device may have several
  double rate = 0;                    // events due a second; 0: a closed loop
  std::uint64_t events = kEventsMax;  // then nothing new is sent
  std::int64_t warmup_ns = 0;         // before measuring
  std::int64_t measure_ns = kNever;   // then nothing new is sent
  std::int64_t drain_ns = kNever;     // how long the last answers are waited for
  std::int64_t ack_timeout_ns = 2 * kNsPerSecond;      // RFC 7252: ACK_TIMEOUT
  unsigned retransmissions = 4;                        // MAX_RETRANSMIT
  std::int64_t answer_timeout_ns = 93 * kNsPerSecond;  // without retransmissions, from the last
  bool confirmable = true;
  bool until_stored = false;       // a device sends an event again, until it is stored or refused
  double loss = 0;                 // share of datagrams that are lost, each way
  std::int64_t clock_skew_ms = 0;  // a device's clock is at most this wrong, either way
  bool keep_record = false;        // of every event, for RecordOf
  std::uint64_t seed = 0;
};

// One event, and how it ended as its device saw it.
struct SentEvent {
  std::int64_t time_us = 0;
  std::uint32_t device = 0;
  std::uint16_t value = 0;
  Outcome outcome = Outcome::kUnanswered;
};

struct FleetReport {
  std::uint64_t sent = 0;                   // events, not datagrams
  std::array<std::uint64_t, 4> outcomes{};  // by Outcome; the open ones are counted nowhere
  std::uint64_t measured = 0;               // stored inside the measuring window
  std::uint64_t offered = 0;                // sent inside it
  std::uint64_t overdue = 0;          // in an open loop: were due, and not sent for want of room
  std::int64_t measured_ns = 0;       // the window's real length
  std::int64_t elapsed_ns = 0;        // of everything
  std::uint64_t retransmitted = 0;    // datagrams of an exchange, beyond its first
  std::uint64_t exchanges_again = 0;  // new exchanges of events that were sent before
  std::uint64_t reset = 0;            // RST
  std::uint64_t empty_acks = 0;       // "later": the answer comes as a message of its own
  std::uint64_t separate = 0;         // such answers
  std::uint64_t unexpected = 0;       // datagrams that answer nothing in flight, or once more
  std::uint64_t lost = 0;             // datagrams that --loss took
  Histogram latency;                  // of what was stored, by first transmissions in the window
  std::array<std::uint64_t, 256> codes{};  // answers by CoAP code
};

class Fleet {
 public:
  // `devices` outlives the fleet.
  Fleet(const FleetOptions& options, RequestMaker maker, Devices* devices);

  void Begin(Instant now);
  // Sends what is due and what is overdue.
  void Turn(std::int64_t now_ns);
  void Take(std::span<const Arrival> arrivals, std::int64_t now_ns);
  // Nothing new is sent from now on, and answers are waited for no longer than so.
  void Stop(std::int64_t now_ns, std::int64_t drain_ns);

  // Every event has ended, or the time to wait for answers is over.
  [[nodiscard]] bool done() const;
  // Until when nothing is to be done unless something arrives.
  [[nodiscard]] std::int64_t NextTurn() const;
  [[nodiscard]] std::size_t in_flight() const { return flights_.size() - free_.size(); }
  [[nodiscard]] bool sending() const;
  [[nodiscard]] bool measuring() const { return now_ns_ >= from_ns_ && now_ns_ < to_ns_; }

  // So far; measured_ns and elapsed_ns are right once it is done.
  [[nodiscard]] const FleetReport& report() const { return report_; }
  void Finish();
  [[nodiscard]] const std::vector<SentEvent>& record() const { return record_; }
  [[nodiscard]] const RequestMaker& maker() const { return maker_; }

 private:
  enum class State : std::uint8_t {
    kFree,
    kSent,          // waits for an acknowledgement or an answer
    kAcknowledged,  // waits for an answer that comes as a message of its own
    kPausing,       // is sent again later
  };
  // One event under way. Its token is (generation << 16) | index of the flight.
  struct Flight {
    State state = State::kFree;
    std::uint8_t transmissions = 0;
    std::uint16_t generation = 0;
    std::uint16_t bytes = 0;
    bool has_echo = false;
    std::int64_t due_ns = 0;
    std::int64_t timeout_ns = 0;
    std::int64_t deadline_ns = 0;
    std::size_t record = 0;
  };
  struct Device {
    std::int64_t time_us = 0;  // of its last event
    std::uint16_t value = 0;   // the next one
    std::uint16_t message_id = 0;
    std::int16_t clock_skew_ms = 0;
  };

  void PrepareDevices();
  std::int64_t NextTime(Device* device) const;
  [[nodiscard]] std::uint8_t* RequestOf(std::uint32_t index) { return &requests_[index * stride_]; }
  [[nodiscard]] std::uint32_t DeviceOf(std::uint32_t index) const;
  [[nodiscard]] std::int64_t NextDueNs() const;
  void StartEvent(std::uint32_t index);
  void StartExchange(std::uint32_t device, std::uint32_t index);
  void Transmit(std::uint32_t device, std::uint32_t index);
  bool IsLost();
  void Receive(const Arrival& arrival);
  void ReceiveEmpty(const Arrival& arrival, const AnswerHead& head);
  void End(std::uint32_t index, Outcome outcome);
  bool SendWithEcho(std::uint32_t index, const Arrival& arrival);
  void SendLater(std::uint32_t index, std::int64_t pause_ns);
  void GiveUpExchange(std::uint32_t index, std::int64_t pause_ns);
  void CheckDeadlines();
  [[nodiscard]] std::uint32_t FlightOf(std::uint32_t device, const AnswerHead& head) const;
  std::uint64_t Random();

  static constexpr std::uint32_t kNoFlight = UINT32_MAX;

  const FleetOptions options_;
  RequestMaker maker_;
  Devices* const socket_;
  const std::size_t stride_;  // bytes of a request in requests_
  std::vector<Device> devices_;
  std::vector<Flight> flights_;
  std::vector<std::uint8_t> requests_;
  std::vector<std::uint64_t> keys_;  // by flight: device and message id, kNoKey when free
  std::vector<std::uint32_t> free_;  // indices of flights
  std::vector<SentEvent> record_;
  std::uint32_t next_device_ = 0;
  std::uint32_t step_ = 1;  // through the devices, visiting each before one comes again
  std::uint64_t random_;
  std::int64_t now_ns_ = 0;
  std::int64_t wall_offset_ns_ = 0;  // wall clock minus monotonic clock
  std::int64_t began_ns_ = 0;
  std::int64_t from_ns_ = 0;  // the measuring window
  std::int64_t to_ns_ = kNever;
  std::int64_t stopped_ns_ = kNever;  // when the last event was sent
  std::int64_t drain_ns_;
  const std::int64_t check_ns_;
  std::int64_t next_check_ns_ = 0;  // of the deadlines
  FleetReport report_;
};

}  // namespace collector::client
