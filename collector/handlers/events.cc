#include "collector/handlers/events.h"

#include <algorithm>

namespace collector {
namespace {

// A refused fleet comes back spread over these seconds, not in one wave.
constexpr std::uint32_t kRetrySecondsMin = 5;
constexpr std::uint32_t kRetrySecondsMax = 15;

constexpr std::size_t kDiagnosticBytesMax = 64;

std::string RefusedText(std::string_view reason) {
  std::string text = "the store refuses this event";
  if (!reason.empty()) text.append(": ").append(reason);
  text.resize(std::min(text.size(), kDiagnosticBytesMax));
  return text;
}

}  // namespace

EventsHandler::EventsHandler(const EventsOptions& options, Store* store, Metrics* metrics)
    : options_(options), store_(store), metrics_(metrics), jitter_(std::random_device{}()) {}

EventsHandler::~EventsHandler() { CHECK(pending() == 0); }

void EventsHandler::Post(const Request& request, Reply reply) {
  if (request.payload_cut || request.payload.size() > options_.payload_bytes_max) {
    Response too_large = Response::Diagnostic(
        Code::kRequestEntityTooLarge,
        "event is larger than " + std::to_string(options_.payload_bytes_max) + " bytes");
    too_large.size1_bytes = static_cast<std::uint32_t>(options_.payload_bytes_max);
    return std::move(reply).Send(std::move(too_large));
  }
  if (!taking_) return std::move(reply).Send(NotNow("shutting down"));
  if (pending() == options_.pending_events_max ||
      pending_bytes_ + request.payload.size() > options_.pending_bytes_max) {
    return std::move(reply).Send(NotNow("too many events at once"));
  }
  if (!decoder_.Decode(request.payload, &event_, &diagnostic_)) {
    return std::move(reply).Send(Response::Diagnostic(Code::kBadRequest, diagnostic_));
  }
  Submit(request, std::move(reply));
}

void EventsHandler::Submit(const Request& request, Reply reply) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(pending_.size()));
    pending_.emplace_back();
  }
  const std::uint32_t ticket = free_.back();
  free_.pop_back();
  pending_[ticket].reply = std::move(reply);
  pending_[ticket].bytes = request.payload.size();
  pending_bytes_ += request.payload.size();
  metrics_->events.pending.Set(pending());
  metrics_->events.pending_bytes.Set(pending_bytes_);

  payload_json_.clear();
  AppendPayloadJson(event_, &payload_json_);
  // Arrival is kept in milliseconds, as the exchange table does, so that an exchange that is
  // processed again gives its event the same id.
  const std::int64_t arrived_ns = request.arrived.wall_ns / kNsPerMs * kNsPerMs;
  const std::int64_t timestamp_ns = event_.timestamp_ns.value_or(arrived_ns);
  const std::uint64_t exchange = event_.timestamp_ns.has_value() ? 0 : request.exchange;
  const EventId id = hasher_.Hash(event_, payload_json_, timestamp_ns, exchange);
  store_->Submit({.id = id,
                  .event = event_,
                  .payload_json = payload_json_,
                  .timestamp_ns = timestamp_ns,
                  .received_ns = request.arrived.wall_ns},
                 Completion(this, ticket));
}

void EventsHandler::OnComplete(std::uint32_t ticket, Outcome outcome, std::string_view reason) {
  Pending& pending = pending_[ticket];
  Reply reply = std::move(pending.reply);
  pending_bytes_ -= pending.bytes;
  free_.push_back(ticket);
  metrics_->events.pending.Set(this->pending());
  metrics_->events.pending_bytes.Set(pending_bytes_);
  switch (outcome) {
    case Outcome::kStored:
      metrics_->events.stored.Add();
      return std::move(reply).Send({.code = Code::kCreated});
    case Outcome::kDuplicate:
      metrics_->events.duplicate.Add();
      return std::move(reply).Send({.code = Code::kCreated});
    case Outcome::kRefused:
      metrics_->events.refused.Add();
      return std::move(reply).Send(
          Response::Diagnostic(Code::kUnprocessableEntity, RefusedText(reason)));
    case Outcome::kNotNow:
      metrics_->events.not_now.Add();
      return std::move(reply).Send(NotNow("the store takes no events now"));
  }
}

Response EventsHandler::NotNow(std::string why) {
  Response response = Response::Diagnostic(Code::kServiceUnavailable, std::move(why));
  std::uniform_int_distribution<std::uint32_t> seconds(kRetrySecondsMin, kRetrySecondsMax);
  response.max_age_seconds = seconds(jitter_);
  return response;
}

}  // namespace collector
