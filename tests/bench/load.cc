#include "tests/bench/load.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <numeric>

#include "tests/bench/udp.h"

namespace bench {
namespace {

constexpr unsigned kAck = 2;
constexpr unsigned kRst = 3;
constexpr std::uint8_t kCreated = 0x41;     // 2.01
constexpr std::uint8_t kTransmissions = 5;  // MAX_RETRANSMIT + 1
constexpr double kTransmitWait = 46.5;      // MAX_TRANSMIT_WAIT in ACK_TIMEOUTs
constexpr std::int64_t kCheckNs = 50'000'000;
constexpr std::int64_t kSpinNs = 5'000'000;  // look again at once this long before sleeping
constexpr std::size_t kWriteBytes = 1 << 20;
constexpr std::size_t kOpenLoopBurst = 128;
constexpr std::uint64_t kNoKey = UINT64_MAX;

volatile std::sig_atomic_t stop_requested = 0;

std::int64_t Nanoseconds(double seconds) { return static_cast<std::int64_t>(seconds * 1e9); }

std::uint64_t NextRandom(std::uint64_t* state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

std::uint64_t Key(std::uint32_t device, std::uint16_t message_id) {
  return (std::uint64_t{device} << 16) | message_id;
}

}  // namespace

void StopLoad() { stop_requested = 1; }

Load::Load(const LoadOptions& options)
    : options_(options),
      socket_(options.target),
      devices_(options.devices),
      flights_(options.window),
      keys_(options.window, kNoKey),
      free_(options.window) {
  PrepareDevices();
  for (Flight& flight : flights_) InitRequest(&flight.request);
  std::iota(free_.rbegin(), free_.rend(), 0U);
  if (!options_.acknowledged_path.empty()) {
    acknowledged_fd_ =
        open(options_.acknowledged_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (acknowledged_fd_ < 0) Die(options_.acknowledged_path);
    acknowledged_.reserve(2 * kWriteBytes);
  }
}

Load::~Load() {
  if (acknowledged_fd_ >= 0) close(acknowledged_fd_);
}

void Load::PrepareDevices() {
  random_ ^= static_cast<std::uint64_t>(WallNs());
  for (Device& device : devices_) {
    const std::uint64_t random = NextRandom(&random_);
    device.message_id = static_cast<std::uint16_t>(random);
    const std::int64_t most = options_.clock_skew_ms;
    const auto skew =
        static_cast<std::int64_t>((random >> 32) % (2 * static_cast<std::uint64_t>(most) + 1));
    device.clock_skew_ms = static_cast<std::int16_t>(skew - most);
    device.readings = static_cast<std::uint16_t>((random >> 16) % kReadingsPerMillisecondMax);
  }
  // Not one after the other: neighbours in the server's tables must not come by in order.
  stride_ = static_cast<std::uint32_t>(static_cast<double>(options_.devices) * 0.618) + 1;
  while (std::gcd(stride_, options_.devices) != 1) ++stride_;
  stride_ %= options_.devices;
}

// The device's clock, which never goes back; it goes ahead rather than let two events be alike.
std::int64_t Load::NextTimestamp(Device* device) const {
  const std::int64_t clock_ms = (now_ns_ + wall_offset_ns_) / 1'000'000 + device->clock_skew_ms;
  const std::uint32_t time_ms = static_cast<std::uint32_t>(clock_ms - base_ms_);
  if (time_ms > device->time_ms) {
    device->time_ms = time_ms;
    device->readings_then = 0;
  } else if (device->readings_then == kReadingsPerMillisecondMax) {
    ++device->time_ms;
    device->readings_then = 0;
  }
  ++device->readings_then;
  if (++device->readings == kReadingsPerMillisecondMax) device->readings = 0;
  return base_ms_ + device->time_ms;
}

void Load::Start(std::uint32_t index) {
  Device& device = devices_[next_device_];
  Flight& flight = flights_[index];
  const std::int64_t time_ms = NextTimestamp(&device);
  const std::uint16_t message_id = device.message_id++;
  ++flight.generation;
  PatchRequest({.device = next_device_,
                .reading = device.readings,
                .token = (std::uint32_t{flight.generation} << 16) | index,
                .message_id = message_id,
                .second = timestamps_.Second(time_ms / 1000),
                .millisecond = static_cast<std::uint32_t>(time_ms % 1000)},
               &flight.request);
  flight.busy = true;
  flight.transmissions = 1;
  flight.first_sent_ns = now_ns_;
  // ACK_RANDOM_FACTOR is 1.5; a scrambled message id is random enough.
  const double factor = 1 + (message_id * 40503U % 65536) / 131072.0;
  flight.timeout_ns = Nanoseconds(options_.timeout_s * factor);
  flight.deadline_ns = now_ns_ + flight.timeout_ns;
  keys_[index] = Key(next_device_, message_id);
  socket_.Queue(next_device_, flight.request);
  next_device_ += stride_;
  if (next_device_ >= options_.devices) next_device_ -= options_.devices;
  ++report_.sent;
  if (Measuring()) ++report_.offered;
}

bool Load::IsDue() const {
  return options_.rate == 0 || static_cast<double>(report_.sent) <
                                   options_.rate * static_cast<double>(now_ns_ - began_ns_) / 1e9;
}

// In an open loop answers are read in between, however far behind the sending is.
void Load::FillWindow() {
  for (std::size_t sent = 0; !free_.empty() && IsDue(); ++sent) {
    if (options_.rate > 0 && sent == kOpenLoopBurst) return;
    const std::uint32_t index = free_.back();
    free_.pop_back();
    Start(index);
  }
}

void Load::Finish(std::uint32_t index) {
  flights_[index].busy = false;
  keys_[index] = kNoKey;
  free_.push_back(index);
}

void Load::Acknowledge(std::uint32_t index) {
  const Flight& flight = flights_[index];
  ++report_.acknowledged;
  if (Measuring()) {
    ++report_.measured;
    report_.latency.Record(now_ns_ - flight.first_sent_ns);
  }
  if (acknowledged_fd_ >= 0) AppendEventLine(flight.request, &acknowledged_);
  Finish(index);
}

std::uint32_t Load::FlightOf(std::uint32_t device, const std::uint8_t* token) const {
  std::uint32_t value = 0;
  std::memcpy(&value, token, sizeof(value));
  const std::uint32_t index = value & 0xFFFF;
  if (index >= flights_.size()) return kNoFlight;
  const Flight& flight = flights_[index];
  const bool is_it =
      flight.busy && flight.generation == value >> 16 && keys_[index] >> 16 == device;
  return is_it ? index : kNoFlight;
}

void Load::HandleEcho(const Arrival& arrival) {
  const std::uint32_t index = arrival.bytes.size() == kRequestBytes
                                  ? FlightOf(arrival.device, &arrival.bytes[kTokenAt])
                                  : kNoFlight;
  if (index == kNoFlight ||
      std::memcmp(flights_[index].request.data(), arrival.bytes.data(), kRequestBytes) != 0) {
    ++report_.unexpected;
    return;
  }
  Acknowledge(index);
}

void Load::HandleEmpty(const Arrival& arrival, unsigned type, std::uint16_t message_id) {
  const auto found = std::find(keys_.begin(), keys_.end(), Key(arrival.device, message_id));
  if (found == keys_.end() || (type != kAck && type != kRst)) {
    ++report_.unexpected;
    return;
  }
  const std::uint32_t index = static_cast<std::uint32_t>(found - keys_.begin());
  if (type == kRst) {
    ++report_.reset;
    Finish(index);
    return;
  }
  ++report_.empty_acks;
  flights_[index].transmissions = 0;
  flights_[index].deadline_ns = now_ns_ + Nanoseconds(options_.timeout_s * kTransmitWait);
}

// In an open loop there are more events on the way than can be kept; each is sent once, so an
// answer is one more answered.
void Load::CountLate(std::uint8_t code) {
  ++report_.late;
  ++report_.codes[code];
  if (code != kCreated) return;
  ++report_.acknowledged;
  if (Measuring()) ++report_.measured;
}

void Load::HandleCoap(const Arrival& arrival) {
  const std::span<const std::uint8_t> bytes = arrival.bytes;
  if (bytes.size() < 4 || bytes[0] >> 6 != 1) {
    ++report_.unexpected;
    return;
  }
  const unsigned type = bytes[0] >> 4 & 3U;
  const std::uint8_t code = bytes[1];
  const std::uint16_t message_id = static_cast<std::uint16_t>(bytes[2] << 8 | bytes[3]);
  if (code == 0) return HandleEmpty(arrival, type, message_id);

  // A confirmable answer is acknowledged even when it comes a second time.
  if (type == 0) socket_.QueueEmpty(arrival.device, {0x60, 0, bytes[2], bytes[3]});
  const bool has_token = (bytes[0] & 0x0FU) == 4 && bytes.size() >= 8;
  const std::uint32_t index = has_token ? FlightOf(arrival.device, &bytes[kTokenAt]) : kNoFlight;
  if (index == kNoFlight && has_token && options_.rate > 0) return CountLate(code);
  if (index == kNoFlight || type == kRst ||
      (type == kAck && keys_[index] != Key(arrival.device, message_id))) {
    ++report_.unexpected;
    return;
  }
  ++report_.codes[code];
  if (type != kAck) ++report_.separate;
  if (code == kCreated) {
    Acknowledge(index);
  } else {
    Finish(index);
  }
}

void Load::CheckDeadlines() {
  next_check_ns_ = now_ns_ + kCheckNs;
  for (std::uint32_t i = 0; i < flights_.size(); ++i) {
    Flight& flight = flights_[i];
    if (!flight.busy || now_ns_ < flight.deadline_ns) continue;
    if (flight.transmissions == 0 || flight.transmissions == kTransmissions || options_.rate > 0) {
      ++report_.lost;
      Finish(i);
      continue;
    }
    ++flight.transmissions;
    flight.timeout_ns *= 2;
    flight.deadline_ns = now_ns_ + flight.timeout_ns;
    socket_.Queue(static_cast<std::uint32_t>(keys_[i] >> 16), flight.request);
    ++report_.retransmitted;
  }
}

void Load::WriteAcknowledged(std::size_t bytes_min) {
  if (acknowledged_.size() < bytes_min) return;
  for (std::size_t done = 0; done < acknowledged_.size();) {
    const ssize_t written =
        write(acknowledged_fd_, acknowledged_.data() + done, acknowledged_.size() - done);
    if (written < 0 && errno != EINTR) Die(options_.acknowledged_path);
    if (written > 0) done += static_cast<std::size_t>(written);
  }
  acknowledged_.clear();
}

void Load::HandleArrivals() {
  const std::span<const Arrival> arrivals = socket_.Receive();
  now_ns_ = MonotonicNs();
  if (arrivals.empty()) return;
  if (Measuring()) ++reads_;
  for (const Arrival& arrival : arrivals) {
    if (options_.mode == Mode::kEcho) {
      HandleEcho(arrival);
    } else {
      HandleCoap(arrival);
    }
  }
  WriteAcknowledged(kWriteBytes);
}

// The one loop: take answers, send what they made room for, look after what is overdue. It looks
// again at once for a while before it sleeps, because waking it would cost the server.
LoadReport Load::Run() {
  now_ns_ = MonotonicNs();
  wall_offset_ns_ = WallNs() - now_ns_;
  base_ms_ = WallNs() / 1'000'000 - 2 * options_.clock_skew_ms;
  began_ns_ = now_ns_;
  from_ns_ = now_ns_ + Nanoseconds(options_.warmup_s);
  to_ns_ = from_ns_ + Nanoseconds(options_.measure_s);
  const std::int64_t end_ns = to_ns_ + Nanoseconds(options_.drain_s);
  std::int64_t heard_ns = now_ns_;
  std::int64_t slept_ns = 0;
  const std::int64_t cpu_ns = CpuNs();
  while (now_ns_ < end_ns) {
    if (stop_requested != 0) to_ns_ = std::min(to_ns_, now_ns_);
    const bool sending = now_ns_ < to_ns_;
    if (sending) FillWindow();
    if (now_ns_ >= next_check_ns_) CheckDeadlines();
    socket_.Flush();
    if (!sending && free_.size() == flights_.size()) break;
    const std::size_t in_flight = flights_.size() - free_.size();
    HandleArrivals();
    if (flights_.size() - free_.size() != in_flight) heard_ns = now_ns_;
    if (now_ns_ - heard_ns > kSpinNs) {
      socket_.WaitReadable(1);
      const std::int64_t woken_ns = MonotonicNs();
      if (Measuring()) slept_ns += woken_ns - now_ns_;
      now_ns_ = woken_ns;
      heard_ns = woken_ns;
    }
  }
  WriteAcknowledged(1);
  report_.unanswered = flights_.size() - free_.size();
  report_.measured_s = static_cast<double>(std::max(to_ns_ - from_ns_, std::int64_t{0})) / 1e9;
  report_.cpu_ns_per_event = static_cast<double>(CpuNs() - cpu_ns) /
                             static_cast<double>(std::max<std::uint64_t>(report_.acknowledged, 1));
  if (report_.measured_s > 0) {
    report_.busy = 1 - static_cast<double>(slept_ns) / 1e9 / report_.measured_s;
  }
  report_.answers_per_read = static_cast<double>(report_.measured) /
                             static_cast<double>(std::max<std::uint64_t>(reads_, 1));
  report_.send_errors = socket_.send_errors();
  report_.drops = socket_.drops();
  return report_;
}

}  // namespace bench
