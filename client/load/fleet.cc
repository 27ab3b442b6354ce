#include "client/load/fleet.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "collector/base/check.h"
#include "collector/base/nanoseconds.h"

namespace collector::client {
namespace {

constexpr std::uint64_t kNoKey = UINT64_MAX;
constexpr std::int64_t kCheckNsMax = 50'000'000;
constexpr std::int64_t kLateNs = kNsPerSecond;
constexpr std::uint32_t kMaxAgeDefault = 60;  // RFC 7252 section 5.10.5
constexpr std::size_t kOpenLoopBurst = 128;
constexpr std::uint8_t kUnauthorized = 0x81;

std::uint64_t KeyOf(std::uint32_t device, std::uint16_t message_id) {
  return std::uint64_t{device} << 16 | message_id;
}

std::int64_t Scale(std::int64_t ns, double factor) {
  return static_cast<std::int64_t>(static_cast<double>(ns) * factor);
}

std::int64_t Later(std::int64_t ns, std::int64_t more_ns) {
  return more_ns >= kNever - ns ? kNever : ns + more_ns;
}

}  // namespace

Fleet::Fleet(const FleetOptions& options, RequestMaker maker, Devices* devices)
    : options_(options),
      maker_(std::move(maker)),
      socket_(devices),
      stride_(maker_.bytes_max()),
      devices_(options.devices),
      flights_(options.window),
      requests_(options.window * stride_),
      keys_(options.window, kNoKey),
      free_(options.window),
      random_(options.seed | 1),
      drain_ns_(options.drain_ns),
      check_ns_(std::clamp(options.ack_timeout_ns / 20, std::int64_t{1'000'000}, kCheckNsMax)) {
  CHECK(options.devices >= 1 && options.devices <= kDevicesMax);
  CHECK(options.window >= 1 && options.window <= kWindowMax);
  CHECK(options.clock_skew_ms >= 0 && options.clock_skew_ms <= kClockSkewMsMax);
  PrepareDevices();
  std::iota(free_.rbegin(), free_.rend(), 0U);
}

void Fleet::PrepareDevices() {
  for (Device& device : devices_) {
    const std::uint64_t random = Random();
    device.message_id = static_cast<std::uint16_t>(random);
    device.value =
        static_cast<std::uint16_t>((random >> 16 & 0xFFFF) % maker_.shape().values.size());
    const auto span = 2 * static_cast<std::uint64_t>(options_.clock_skew_ms) + 1;
    device.clock_skew_ms = static_cast<std::int16_t>(
        static_cast<std::int64_t>((random >> 32) % span) - options_.clock_skew_ms);
  }
  // Not one after the other: neighbours in the collector's tables must not come by in order.
  step_ = static_cast<std::uint32_t>(static_cast<double>(options_.devices) * 0.618) + 1;
  while (std::gcd(step_, options_.devices) != 1) ++step_;
  step_ %= options_.devices;
}

void Fleet::Begin(Instant now) {
  now_ns_ = now.monotonic_ns;
  wall_offset_ns_ = now.wall_ns - now.monotonic_ns;
  began_ns_ = now_ns_;
  from_ns_ = now_ns_ + options_.warmup_ns;
  to_ns_ = Later(from_ns_, options_.measure_ns);
}

std::uint64_t Fleet::Random() {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  return random_;
}

bool Fleet::IsLost() {
  if (options_.loss <= 0) return false;
  const bool lost = static_cast<double>(Random() >> 11) * 0x1p-53 < options_.loss;
  if (lost) ++report_.lost;
  return lost;
}

// The device's clock never goes back, and goes ahead rather than let two of its events be alike.
std::int64_t Fleet::NextTime(Device* device) const {
  const std::int64_t clock_us =
      (now_ns_ + wall_offset_ns_) / kNsPerUs + std::int64_t{device->clock_skew_ms} * 1'000;
  device->time_us = std::max({clock_us, device->time_us + 1, std::int64_t{0}});
  return device->time_us;
}

std::uint32_t Fleet::DeviceOf(std::uint32_t index) const {
  return static_cast<std::uint32_t>(keys_[index] >> 16);
}

// When the next event is due in an open loop.
std::int64_t Fleet::NextDueNs() const {
  if (options_.rate == 0) return now_ns_;
  return began_ns_ +
         static_cast<std::int64_t>(static_cast<double>(report_.sent) * 1e9 / options_.rate);
}

// What was due in time is sent, if a little late: this process may have been held up.
bool Fleet::sending() const {
  if (report_.sent >= options_.events) return false;
  if (options_.rate == 0) return now_ns_ < to_ns_;
  return NextDueNs() < to_ns_ && now_ns_ < Later(to_ns_, kLateNs);
}

void Fleet::StartEvent(std::uint32_t index) {
  const std::uint32_t id = next_device_;
  next_device_ += step_;
  if (next_device_ >= options_.devices) next_device_ -= options_.devices;
  Device& device = devices_[id];
  Flight& flight = flights_[index];
  const RequestFields fields{.device = id,
                             .value = device.value,
                             .time_us = NextTime(&device),
                             .confirmable = options_.confirmable};
  if (++device.value == maker_.shape().values.size()) device.value = 0;
  flight.bytes = static_cast<std::uint16_t>(maker_.Make(fields, RequestOf(index)));
  flight.has_echo = false;
  flight.due_ns = NextDueNs();
  if (options_.keep_record) {
    flight.record = record_.size();
    record_.push_back({.time_us = fields.time_us,
                       .device = id,
                       .value = static_cast<std::uint16_t>(fields.value)});
  }
  ++report_.sent;
  if (measuring()) ++report_.offered;
  StartExchange(id, index);
}

void Fleet::StartExchange(std::uint32_t device, std::uint32_t index) {
  Flight& flight = flights_[index];
  const std::uint16_t message_id = devices_[device].message_id++;
  ++flight.generation;
  StampExchange(std::uint32_t{flight.generation} << 16 | index, message_id, RequestOf(index));
  keys_[index] = KeyOf(device, message_id);
  flight.state = State::kSent;
  flight.transmissions = 0;
  // ACK_RANDOM_FACTOR is 1.5; a scrambled message id is random enough.
  const double factor = 1 + (message_id * 40503U % 65536) / 131072.0;
  flight.timeout_ns =
      options_.confirmable ? Scale(options_.ack_timeout_ns, factor) : options_.answer_timeout_ns;
  Transmit(device, index);
}

void Fleet::Transmit(std::uint32_t device, std::uint32_t index) {
  Flight& flight = flights_[index];
  ++flight.transmissions;
  flight.deadline_ns = now_ns_ + flight.timeout_ns;
  if (IsLost()) return;
  socket_->Queue(device, {RequestOf(index), flight.bytes});
}

// In an open loop answers are read in between, however far behind the sending is.
void Fleet::Turn(std::int64_t now_ns) {
  now_ns_ = now_ns;
  for (std::size_t burst = 0; sending() && !free_.empty() && NextDueNs() <= now_ns_; ++burst) {
    if (options_.rate > 0 && burst == kOpenLoopBurst) break;
    const std::uint32_t index = free_.back();
    free_.pop_back();
    StartEvent(index);
  }
  if (!sending() && stopped_ns_ == kNever) stopped_ns_ = now_ns_;
  if (now_ns_ >= next_check_ns_) CheckDeadlines();
  socket_->Flush();
}

void Fleet::End(std::uint32_t index, Outcome outcome) {
  Flight& flight = flights_[index];
  ++report_.outcomes[static_cast<std::size_t>(outcome)];
  if (options_.keep_record) record_[flight.record].outcome = outcome;
  if (outcome == Outcome::kStored) {
    if (measuring()) ++report_.measured;
    if (flight.due_ns >= from_ns_) report_.latency.Record(now_ns_ - flight.due_ns);
  }
  flight.state = State::kFree;
  keys_[index] = kNoKey;
  free_.push_back(index);
}

// A collector that wants to know whether the device is where it says it is (RFC 9175).
bool Fleet::SendWithEcho(std::uint32_t index, const Arrival& arrival) {
  Flight& flight = flights_[index];
  const auto echo = ReadEcho(arrival.bytes);
  if (echo.empty() || flight.has_echo) return false;
  flight.has_echo = true;
  flight.bytes = static_cast<std::uint16_t>(InsertEcho(echo, RequestOf(index), flight.bytes));
  ++report_.exchanges_again;
  StartExchange(DeviceOf(index), index);
  return true;
}

void Fleet::SendLater(std::uint32_t index, std::int64_t pause_ns) {
  flights_[index].state = State::kPausing;
  flights_[index].deadline_ns = now_ns_ + pause_ns;
  ++flights_[index].generation;  // an answer that still comes belongs to no exchange
}

std::uint32_t Fleet::FlightOf(std::uint32_t device, const AnswerHead& head) const {
  if (!head.token.has_value()) return kNoFlight;
  const std::uint32_t index = *head.token & 0xFFFF;
  if (index >= flights_.size()) return kNoFlight;
  const Flight& flight = flights_[index];
  const bool waits = flight.state == State::kSent || flight.state == State::kAcknowledged;
  const bool fits =
      head.type != MessageType::kAcknowledgement || keys_[index] == KeyOf(device, head.message_id);
  const bool is_it = waits && fits && flight.generation == *head.token >> 16;
  return is_it && DeviceOf(index) == device ? index : kNoFlight;
}

void Fleet::ReceiveEmpty(const Arrival& arrival, const AnswerHead& head) {
  const auto found = std::find(keys_.begin(), keys_.end(), KeyOf(arrival.device, head.message_id));
  const std::uint32_t index = static_cast<std::uint32_t>(found - keys_.begin());
  const bool waits = found != keys_.end() && flights_[index].state == State::kSent;
  if (waits && head.type == MessageType::kReset) {
    ++report_.reset;
    return GiveUpExchange(index, options_.ack_timeout_ns);
  }
  if (!waits || head.type != MessageType::kAcknowledgement) {
    ++report_.unexpected;
    return;
  }
  ++report_.empty_acks;
  flights_[index].state = State::kAcknowledged;
  flights_[index].deadline_ns = now_ns_ + options_.answer_timeout_ns;
}

void Fleet::Receive(const Arrival& arrival) {
  const auto head = ReadAnswer(arrival.bytes);
  if (!head.has_value()) {
    ++report_.unexpected;
    return;
  }
  if (head->code == 0) return ReceiveEmpty(arrival, *head);
  // A confirmable answer is acknowledged even when it comes a second time.
  if (head->type == MessageType::kConfirmable && !IsLost()) {
    socket_->QueueEmpty(arrival.device, {0x60, 0, arrival.bytes[2], arrival.bytes[3]});
  }
  const std::uint32_t index = FlightOf(arrival.device, *head);
  if (index == kNoFlight) {
    ++report_.unexpected;
    return;
  }
  ++report_.codes[head->code];
  if (head->type != MessageType::kAcknowledgement && options_.confirmable) ++report_.separate;
  if (head->code == kUnauthorized && SendWithEcho(index, arrival)) return;
  const Outcome outcome = OutcomeOfCode(head->code >> 5, head->code & 31);
  if (outcome != Outcome::kUnavailable || !options_.until_stored) return End(index, outcome);
  SendLater(index, ReadMaxAge(arrival.bytes).value_or(kMaxAgeDefault) * kNsPerSecond);
}

void Fleet::Take(std::span<const Arrival> arrivals, std::int64_t now_ns) {
  now_ns_ = now_ns;
  for (const Arrival& arrival : arrivals) {
    if (!IsLost()) Receive(arrival);
  }
}

// Its event may be stored or not.
void Fleet::GiveUpExchange(std::uint32_t index, std::int64_t pause_ns) {
  if (!options_.until_stored) return End(index, Outcome::kUnanswered);
  SendLater(index, pause_ns);
}

void Fleet::CheckDeadlines() {
  next_check_ns_ = now_ns_ + check_ns_;
  for (std::uint32_t index = 0; index < flights_.size(); ++index) {
    Flight& flight = flights_[index];
    if (flight.state == State::kFree || now_ns_ < flight.deadline_ns) continue;
    if (flight.state == State::kPausing) {
      ++report_.exchanges_again;
      StartExchange(DeviceOf(index), index);
    } else if (flight.state == State::kSent && options_.confirmable &&
               flight.transmissions <= options_.retransmissions) {
      ++report_.retransmitted;
      flight.timeout_ns *= 2;
      Transmit(DeviceOf(index), index);
    } else {
      GiveUpExchange(index, 0);
    }
  }
}

void Fleet::Stop(std::int64_t now_ns, std::int64_t drain_ns) {
  to_ns_ = std::min(to_ns_, now_ns);
  stopped_ns_ = std::min(stopped_ns_, now_ns);
  drain_ns_ = std::min(drain_ns_, Later(now_ns, drain_ns) - stopped_ns_);
}

bool Fleet::done() const {
  if (sending()) return false;
  return in_flight() == 0 || now_ns_ >= Later(std::min(stopped_ns_, to_ns_), drain_ns_);
}

std::int64_t Fleet::NextTurn() const {
  return sending() && !free_.empty() ? std::min(next_check_ns_, NextDueNs()) : next_check_ns_;
}

void Fleet::Finish() {
  const std::int64_t end_ns = std::min(to_ns_, now_ns_);
  report_.measured_ns = std::max(end_ns - from_ns_, std::int64_t{0});
  report_.elapsed_ns = now_ns_ - began_ns_;
  if (options_.rate > 0) {
    const double until_ns = static_cast<double>(std::min(stopped_ns_, to_ns_) - began_ns_);
    const double due =
        std::min(std::ceil(options_.rate * until_ns / 1e9), static_cast<double>(options_.events));
    const auto were_due = static_cast<std::uint64_t>(std::max(due, 0.0));
    report_.overdue = were_due > report_.sent ? were_due - report_.sent : 0;
  }
}

}  // namespace collector::client
