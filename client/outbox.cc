#include "client/outbox.h"

#include <algorithm>
#include <utility>

#include "client/sender.h"
#include "client/tally.h"
#include "client/value.h"
#include "event/event_json.h"

namespace collector::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kPauseMin{1};
constexpr seconds kPauseMax{30};

}  // namespace

Outbox::Outbox(const Settings& settings, std::size_t in_flight_max, OnEnd on_end)
    : settings_(settings), in_flight_max_(in_flight_max), on_end_(std::move(on_end)) {}

Result<std::unique_ptr<Outbox>> Outbox::Create(const Settings& settings, std::size_t in_flight_max,
                                               OnEnd on_end) {
  std::unique_ptr<Outbox> outbox(new Outbox(settings, in_flight_max, std::move(on_end)));
  if (Status connected = outbox->Connect(); !connected.ok()) return connected.error();
  return outbox;
}

Status Outbox::Connect() {
  auto client = CoapClient::Create(
      {.host = settings_.host,
       .port = settings_.port,
       .tls = settings_.tls,
       .timeout = settings_.timeout},
      [this](const Request& request, const Answer& answer) { OnAnswer(request, answer); });
  if (!client.ok()) return client.error();
  client_ = std::move(client).value();
  connect_anew_ = false;
  return Ok{};
}

void Outbox::Send(std::uint64_t key, const Event& event) {
  waiting_.push_back({.path = "events", .body = EncodeEventJson(event), .key = key});
  SendWaiting();
}

void Outbox::SendWaiting() {
  while (!waiting_.empty() && client_->in_flight() < in_flight_max_ && !connect_anew_ &&
         Clock::now() >= not_before_) {
    Request request = waiting_.front();
    const std::uint64_t key = request.key;
    Status sent = client_->Send(std::move(request));
    if (!sent.ok() && sent.error().code != ErrorCode::kInvalid) {
      Tell(sent.error().message + "; trying again");
      not_before_ = Clock::now() + kPauseMin;
      return;
    }
    waiting_.pop_front();
    if (!sent.ok()) on_end_(key, sent.error().message);
  }
}

void Outbox::Turn(milliseconds wait) {
  if (connect_anew_ && client_->in_flight() == 0 && Clock::now() >= not_before_) {
    if (Status connected = Connect(); !connected.ok()) {
      Tell(connected.error().message + "; trying again");
      not_before_ = Clock::now() + kPauseMax;
    }
  }
  SendWaiting();
  const auto pause = std::chrono::ceil<milliseconds>(not_before_ - Clock::now());
  const bool paused = !waiting_.empty() && pause.count() > 0;
  client_->Process(paused ? std::min(wait, pause) : wait);
  SendWaiting();
}

void Outbox::OnAnswer(const Request& request, const Answer& answer) {
  const Outcome outcome = OutcomeOf(answer);
  if (outcome == Outcome::kStored || outcome == Outcome::kRefused) {
    if (std::exchange(failures_, 0) > 0) Tell(client_->peer() + " takes events again");
    const bool stored = outcome == Outcome::kStored;
    on_end_(request.key, stored ? "" : CodeText(answer) + " " + Printable(answer.payload));
    return;
  }
  if (answer.kind != Answer::Kind::kResponse) connect_anew_ = true;
  waiting_.push_front(request);
  if (Clock::now() >= not_before_) PauseAfter(answer);
}

// As long as the collector says, else twice as long as the last time.
void Outbox::PauseAfter(const Answer& answer) {
  seconds pause = std::min(kPauseMin * (1 << std::min(failures_, 5)), kPauseMax);
  if (answer.max_age_s.has_value()) pause = seconds(std::clamp(*answer.max_age_s, 1U, 3600U));
  not_before_ = Clock::now() + pause;
  if (failures_++ == 0) Tell(TroubleOf(answer) + "; trying again until it does");
}

std::string Outbox::TroubleOf(const Answer& answer) const {
  switch (answer.kind) {
    case Answer::Kind::kUnreachable:
      return client_->peer() + " does not take events (connection refused)";
    case Answer::Kind::kRefused:
      return RefusedText(client_->peer(), answer);
    case Answer::Kind::kReset:
      return client_->peer() + " does not take events (CoAP reset)";
    case Answer::Kind::kTimeout:
      return client_->peer() + " does not answer";
    case Answer::Kind::kResponse:
      break;
  }
  return client_->peer() + " does not take events now (" + CodeText(answer) + " " +
         Printable(answer.payload) + ")";
}

}  // namespace collector::client
