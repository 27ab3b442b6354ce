#include "client/sender.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <thread>
#include <utility>

#include "client/exit_status.h"
#include "client/interrupt.h"
#include "client/value.h"
#include "collector/base/nanoseconds.h"
#include "event/event_json.h"

namespace collector::client {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kInFlightMax = 64;
constexpr milliseconds kTurn{200};  // an interrupt is noticed within it
constexpr std::chrono::seconds kGraceAfterInterrupt{2};
constexpr std::chrono::seconds kSilenceTold{5};
constexpr std::chrono::seconds kRetryDelayMax{3600};

// What the collector asks for, or, where it says nothing: 1 s, 2 s, 4 s, and so on to a minute.
std::chrono::seconds RetryDelay(const Answer& answer, int attempts) {
  if (answer.max_age_s.has_value()) {
    return std::min(std::chrono::seconds(*answer.max_age_s), kRetryDelayMax);
  }
  return std::chrono::seconds(std::min(60, 1 << std::min(attempts - 1, 6)));
}

std::string WhatCame(const Answer& answer) {
  switch (answer.kind) {
    case Answer::Kind::kResponse:
      return CodeText(answer) + (answer.payload.empty() ? "" : " " + Printable(answer.payload));
    case Answer::Kind::kReset:
      return "CoAP reset";
    case Answer::Kind::kUnreachable:
      return "connection refused";
    case Answer::Kind::kRefused:
      return "no DTLS session";
    case Answer::Kind::kTimeout:
      break;
  }
  return "no answer";
}

std::string Hexadecimal(const std::string& bytes) {
  std::string text;
  for (const char byte : bytes) {
    std::array<char, 3> digits{};
    std::snprintf(digits.data(), digits.size(), "%02x", static_cast<unsigned char>(byte));
    text += digits.data();
  }
  return text;
}

}  // namespace

Sender::Sender(const Settings& settings, const Delivery& delivery)
    : settings_(settings),
      sender_(settings.sender.value_or("client")),
      origin_(settings.origin.has_value() ? *settings.origin : HostName()),
      delivery_(delivery),
      report_(settings, delivery.json) {}

Result<std::unique_ptr<Sender>> Sender::Create(const Settings& settings, const Delivery& delivery) {
  std::unique_ptr<Sender> sender(new Sender(settings, delivery));
  if (delivery.dry_run) return sender;
  auto client =
      CoapClient::Create({.host = settings.host,
                          .port = settings.port,
                          .tls = settings.tls,
                          .timeout = settings.timeout},
                         [self = sender.get()](const Request& request, const Answer& answer) {
                           self->OnAnswer(request, answer);
                         });
  if (!client.ok()) return client.error();
  sender->client_ = std::move(client).value();
  return sender;
}

Event Sender::NewEvent() const {
  Event event;
  event.name_space = settings_.name_space;
  event.sender = sender_;
  event.origin = origin_;
  return event;
}

bool Sender::Send(Reading reading) {
  Event event = NewEvent();
  event.type = std::move(reading.type);
  event.value = std::move(reading.value);
  event.timestamp_ns = reading.timestamp_ns;
  event.client_id = std::move(reading.client_id);
  const Status sent = SendEvent(std::move(event));
  if (sent.ok()) return true;
  if (sent.error().code == ErrorCode::kInvalid) {
    TellUnsent(sent.error().message);
    stopped_ = true;  // the next one is like it
  }
  return false;
}

Status Sender::SendEvent(Event event) {
  while (!stopped_ && in_flight() >= kInFlightMax) Turn(kTurn);
  if (stopped_) return Error{ErrorCode::kUnavailable, "stopped"};
  if (!event.timestamp_ns.has_value()) event.timestamp_ns = NextTimestamp();
  if (IsSenml(delivery_.format)) {  // as the collector will read it
    event.sender = event.origin;
    event.name_space = "default";
  }
  auto body = EncodeBody(event, delivery_.format);
  if (!body.ok()) return body.error();
  if (delivery_.dry_run) {
    PrintUnsent(event, body.value());
    return Ok{};
  }
  const std::uint64_t key = next_key_++;
  Status sent = client_->Send({.path = "events",
                               .body = std::move(body).value(),
                               .content_format = static_cast<std::uint16_t>(delivery_.format),
                               .confirmable = delivery_.confirmable,
                               .key = key});
  if (sent.ok()) {
    tally_.CountSent();
    pending_.emplace(key, Pending{.event = EncodeEventJson(event), .started = Clock::now()});
  } else if (sent.error().code != ErrorCode::kInvalid) {
    TellUnsent(sent.error().message);
    stopped_ = true;
  }
  return sent;
}

void Sender::TellUnsent(const std::string& why) {
  tally_.CountFailure();
  report_.Say(why);
}

// What a device would put on the wire; CBOR in hexadecimal digits.
void Sender::PrintUnsent(const Event& event, const std::string& body) const {
  if (settings_.silent) return;
  if (delivery_.json) {
    std::printf("{\"content_format\":%d,\"bytes\":%zu,\"event\":%s}\n",
                static_cast<int>(delivery_.format), body.size(), EncodeEventJson(event).c_str());
    return;
  }
  std::printf("POST: /events, not sent: %s, %zu bytes, %s\n", MediaTypeOf(delivery_.format),
              body.size(), delivery_.confirmable ? "confirmable" : "non-confirmable");
  const bool text =
      delivery_.format == BodyFormat::kJson || delivery_.format == BodyFormat::kSenmlJson;
  std::printf("%s\n", text ? body.c_str() : Hexadecimal(body).c_str());
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
  while (in_flight() > 0 && Clock::now() < give_up) {
    if (Interrupted() && give_up == Clock::time_point::max()) {
      give_up = Clock::now() + kGraceAfterInterrupt;
    }
    Turn(kTurn);
  }
  report_.Summarise(tally_);
  return tally_.ExitStatus();
}

std::size_t Sender::in_flight() const {
  return client_ == nullptr ? 0 : client_->in_flight() + retries_.size();
}

void Sender::Turn(milliseconds wait) {
  if (client_ == nullptr) {  // a dry run keeps its pace all the same
    std::fflush(stdout);
    std::this_thread::sleep_for(wait);
    stopped_ = stopped_ || Interrupted();
    return;
  }
  if (!retries_.empty()) {
    const auto left = std::chrono::ceil<milliseconds>(retries_.begin()->first - Clock::now());
    wait = std::clamp(left, milliseconds(0), wait);
  }
  client_->Process(wait);
  std::fflush(stdout);
  if (Interrupted()) stopped_ = true;
  SendDueRetries();
  TellSilence();
  if (client_->peer_is_away() && !told_away_) {
    report_.Say(client_->peer() + " refuses datagrams now; what is in flight is retransmitted");
  }
  told_away_ = client_->peer_is_away();
  report_.ShowProgress(tally_, in_flight());
}

void Sender::SendDueRetries() {
  while (!retries_.empty() && (stopped_ || retries_.begin()->first <= Clock::now())) {
    Retry retry = std::move(retries_.extract(retries_.begin()).mapped());
    const std::uint64_t key = retry.request.key;
    if (stopped_ || !client_->Send(std::move(retry.request)).ok()) End(key, retry.answer);
  }
}

// A person who misspelt the host should not wonder for a minute and a half.
void Sender::TellSilence() {
  const bool silence = !ended_any_ && client_->in_flight() > 0 && !Interrupted();
  if (told_silence_ || !silence || Clock::now() - started_ < kSilenceTold) return;
  told_silence_ = true;
  report_.Say("no answer from " + client_->peer() + " yet; retransmitting, for " +
              std::to_string(settings_.timeout.count()) + " s in all");
}

void Sender::OnAnswer(const Request& request, const Answer& answer) {
  ended_any_ = true;
  const auto found = pending_.find(request.key);
  CHECK(found != pending_.end());
  Pending& pending = found->second;
  ++pending.attempts;
  if (pending.retransmissions.has_value() && answer.retransmissions.has_value()) {
    *pending.retransmissions += *answer.retransmissions;
  } else {
    pending.retransmissions.reset();
  }
  const Outcome outcome = OutcomeOf(answer);
  const bool again = outcome == Outcome::kUnavailable || outcome == Outcome::kUnanswered;
  if (!again || stopped_ || pending.attempts > delivery_.retries) {
    End(request.key, answer);
    return;
  }
  const std::chrono::seconds delay = RetryDelay(answer, pending.attempts);
  report_.Say(WhatCame(answer) + "; trying again in " + std::to_string(delay.count()) + " s (" +
              std::to_string(pending.attempts) + " of " + std::to_string(delivery_.retries) + ")");
  retries_.emplace(Clock::now() + delay, Retry{request, answer});
}

void Sender::End(std::uint64_t key, const Answer& answer) {
  const Pending pending = std::move(pending_.extract(key).mapped());
  tally_.Count(OutcomeOf(answer));
  Ended ended{.event = pending.event,
              .answer = answer,
              .attempts = pending.attempts,
              .took = Clock::now() - pending.started};
  ended.answer.retransmissions = pending.retransmissions;
  if (answer.kind != Answer::Kind::kResponse) TellUnanswered(pending.event, answer);
  report_.Add(ended);
}

void Sender::TellUnanswered(const std::string& event, const Answer& answer) {
  switch (answer.kind) {
    case Answer::Kind::kUnreachable:
      stopped_ = true;
      if (!std::exchange(told_absent_, true)) {
        report_.Say("no collector at " + client_->peer() +
                    " (connection refused). Start it, or name it with --host and --port");
      }
      return;
    case Answer::Kind::kReset:
      report_.Say(client_->peer() + " rejected the message (CoAP reset); is that a collector? " +
                  event);
      return;
    case Answer::Kind::kRefused:
      stopped_ = true;
      report_.Say(RefusedText(client_->peer(), answer) + ": " + event);
      return;
    default:
      report_.Say("no answer from " + client_->peer() +
                  " in time, so it may be stored or not; send it again: " + event);
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

std::string HostName() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "unknown";
  return name.data();
}

void Tell(const std::string& message) { std::fprintf(stderr, "client: %s\n", message.c_str()); }

int Fail(const std::string& message, int status) {
  Tell(message);
  return status;
}

}  // namespace collector::client
