#include "client/sender.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <utility>

#include "client/exit_status.h"
#include "client/interrupt.h"
#include "client/value.h"
#include "event/event_json.h"

namespace collector::client {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kInFlightMax = 64;
constexpr milliseconds kTurn{200};  // an interrupt is noticed within it
constexpr std::chrono::seconds kGraceAfterInterrupt{2};
constexpr std::chrono::seconds kSilenceTold{5};
constexpr std::int64_t kNsPerMs = 1'000'000;
constexpr std::int64_t kNsPerUs = 1'000;

std::string HostName() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "unknown";
  return name.data();
}

}  // namespace

Sender::Sender(const Settings& settings)
    : settings_(settings),
      sender_(settings.sender.value_or("client")),
      origin_(settings.origin.has_value() ? *settings.origin : HostName()) {}

Result<std::unique_ptr<Sender>> Sender::Create(const Settings& settings) {
  std::unique_ptr<Sender> sender(new Sender(settings));
  auto client = CoapClient::Create(
      {.host = settings.host, .port = settings.port, .timeout = settings.timeout},
      [self = sender.get()](const Request& request, const Answer& answer) {
        self->OnAnswer(request, answer);
      });
  if (!client.ok()) return client.error();
  sender->client_ = std::move(client).value();
  return sender;
}

bool Sender::Send(Reading reading) {
  while (!stopped_ && client_->in_flight() >= kInFlightMax) Turn(kTurn);
  if (stopped_) return false;
  Event event;
  event.name_space = settings_.name_space;
  event.sender = sender_;
  event.origin = origin_;
  event.type = std::move(reading.type);
  event.value = std::move(reading.value);
  event.timestamp_ns = reading.timestamp_ns.has_value() ? reading.timestamp_ns : NextTimestamp();
  event.client_id = std::move(reading.client_id);
  Status sent = client_->Send({Method::kPost, "events", EncodeEventJson(event)});
  if (!sent.ok()) {
    tally_.CountFailure();
    stopped_ = true;
    Tell(sent.error().message);
    return false;
  }
  tally_.CountSent();
  return true;
}

bool Sender::WaitUntil(Clock::time_point due) {
  while (!stopped_) {
    const auto left = std::chrono::ceil<milliseconds>(due - Clock::now());
    if (left.count() <= 0) break;
    Turn(std::min(left, kTurn));
  }
  return !stopped_;
}

int Sender::Finish() {
  Clock::time_point give_up = Clock::time_point::max();
  while (client_->in_flight() > 0 && Clock::now() < give_up) {
    if (Interrupted() && give_up == Clock::time_point::max()) {
      give_up = Clock::now() + kGraceAfterInterrupt;
    }
    Turn(kTurn);
  }
  if (tally_.sent() > 1 || client_->in_flight() > 0) {
    const std::chrono::duration<double> took = Clock::now() - started_;
    std::array<char, 32> seconds{};
    std::snprintf(seconds.data(), seconds.size(), "%.3f", took.count());
    Tell(tally_.Summary() + " in " + seconds.data() + " s");
  }
  return tally_.ExitStatus();
}

void Sender::Turn(milliseconds wait) {
  client_->Process(wait);
  std::fflush(stdout);
  if (Interrupted()) stopped_ = true;
  TellSilence();
  if (client_->peer_is_away() && !told_away_) {
    Tell(client_->peer() + " refuses datagrams now; what is in flight is retransmitted");
  }
  told_away_ = client_->peer_is_away();
}

// A person who misspelt the host should not wonder for a minute and a half.
void Sender::TellSilence() {
  const bool silence = !ended_any_ && client_->in_flight() > 0 && !Interrupted();
  if (told_silence_ || !silence || Clock::now() - started_ < kSilenceTold) return;
  told_silence_ = true;
  Tell("no answer from " + client_->peer() + " yet; retransmitting, for " +
       std::to_string(settings_.timeout.count()) + " s in all");
}

void Sender::OnAnswer(const Request& request, const Answer& answer) {
  ended_any_ = true;
  tally_.Count(OutcomeOf(answer));
  if (answer.kind != Answer::Kind::kResponse) {
    TellUnanswered(request, answer);
  } else if (!settings_.silent) {
    PrintResponse(request, answer);
  }
}

void Sender::PrintResponse(const Request& request, const Answer& answer) const {
  std::string line = "POST: /" + request.path + " > " + CodeText(answer);
  if (OutcomeOf(answer) != Outcome::kStored && !answer.payload.empty()) {
    line += " " + Printable(answer.payload);
  }
  if (OutcomeOf(answer) == Outcome::kUnavailable && answer.max_age_s.has_value()) {
    line += " (try again in " + std::to_string(*answer.max_age_s) + " s)";
  }
  std::printf("%s\n%s\n", line.c_str(), request.body.c_str());
}

void Sender::TellUnanswered(const Request& request, const Answer& answer) {
  switch (answer.kind) {
    case Answer::Kind::kUnreachable:
      stopped_ = true;
      if (!std::exchange(told_absent_, true)) {
        Tell("no collector at " + client_->peer() +
             " (connection refused). Start it, or name it with --host and --port");
      }
      return;
    case Answer::Kind::kReset:
      Tell(client_->peer() + " rejected the message (CoAP reset); is that a collector? " +
           request.body);
      return;
    default:
      Tell("no answer from " + client_->peer() + " in time, so it may be stored or not; send it " +
           "again: " + request.body);
  }
}

// Milliseconds; but never twice the same, because the collector takes two equal readings of one
// time for one event: the second in a millisecond is a microsecond later.
std::int64_t Sender::NextTimestamp() {
  const auto now = std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
  last_timestamp_ns_ =
      std::max(now.time_since_epoch().count() * kNsPerMs, last_timestamp_ns_ + kNsPerUs);
  return last_timestamp_ns_;
}

void Tell(const std::string& message) { std::fprintf(stderr, "client: %s\n", message.c_str()); }

int Fail(const std::string& message, int status) {
  Tell(message);
  return status;
}

}  // namespace collector::client
