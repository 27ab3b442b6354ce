#include "collector/handlers/events.h"

#include <algorithm>
#include <optional>
#include <span>

#include "collector/middleware/content_format.h"

namespace collector {
namespace {

constexpr std::size_t kDiagnosticBytesMax = 64;

std::string RefusedText(std::string_view reason) {
  std::string text = "the store refuses this event";
  if (!reason.empty()) text.append(": ").append(reason);
  text.resize(std::min(text.size(), kDiagnosticBytesMax));
  return text;
}

}  // namespace

EventsHandler::EventsHandler(const EventsOptions& options, Store* store, Metrics* metrics)
    : options_(options), store_(store), metrics_(metrics), pending_(1), advice_(options.seed) {}

EventsHandler::~EventsHandler() { CHECK(pending_events_ == 0); }

void EventsHandler::Post(const Request& request, Reply reply) {
  if (request.payload_cut || request.payload.size() > options_.payload_bytes_max) {
    Response too_large = Response::Diagnostic(
        Code::kRequestEntityTooLarge,
        "body is larger than " + std::to_string(options_.payload_bytes_max) + " bytes");
    too_large.size1_bytes = static_cast<std::uint32_t>(options_.payload_bytes_max);
    return std::move(reply).Send(std::move(too_large));
  }
  if (!taking_) return std::move(reply).Send(NotNow("shutting down"));
  // Before anything is spent on the body: under overload most requests end here.
  if (!HasRoomFor(1, request.payload.size())) return std::move(reply).Send(NotNow("overloaded"));
  const std::optional<EventFormat> format = FormatOf(request);
  CHECK(format.has_value());  // the chain checks it
  if (!decoder_.Decode(*format, request.payload, &diagnostic_)) {
    return std::move(reply).Send(Response::Diagnostic(Code::kBadRequest, diagnostic_));
  }
  const std::span<const Event> events = decoder_.events();
  if (options_.access != nullptr) {
    if (auto refusal = options_.access->Refuse(request, events)) {
      return std::move(reply).Send(*std::move(refusal));
    }
  }
  if (events.size() > options_.pending_events_max) {
    return std::move(reply).Send(Response::Diagnostic(
        Code::kRequestEntityTooLarge,
        "more than " + std::to_string(options_.pending_events_max) + " events"));
  }
  if (!HasRoomFor(events.size(), request.payload.size())) {
    return std::move(reply).Send(NotNow("overloaded"));
  }
  const std::uint32_t ticket = Take(request, std::move(reply));
  for (std::uint32_t index = 0; index < events.size(); ++index) {
    Submit(request, events[index], index, ticket);
  }
}

bool EventsHandler::HasRoomFor(std::size_t events, std::size_t bytes) const {
  return pending_events_ + events <= options_.pending_events_max &&
         pending_bytes_ + bytes <= options_.pending_bytes_max;
}

std::uint32_t EventsHandler::Take(const Request& request, Reply reply) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(pending_.size()));
    pending_.emplace_back();
  }
  const std::uint32_t ticket = free_.back();
  free_.pop_back();
  Pending& pending = pending_[ticket];
  pending.reply = std::move(reply);
  pending.bytes = request.payload.size();
  pending.events_left = decoder_.events().size();
  pending.worst = Outcome::kStored;
  pending.arrived_ns = request.arrived.monotonic_ns;
  Link(ticket);
  pending_events_ += pending.events_left;
  pending_bytes_ += pending.bytes;
  metrics_->events.pending.Set(pending_events_);
  metrics_->events.pending_bytes.Set(pending_bytes_);
  return ticket;
}

void EventsHandler::Submit(const Request& request, const Event& event, std::uint32_t index,
                           std::uint32_t ticket) {
  payload_json_.clear();
  AppendPayloadJson(event, &payload_json_);
  // Arrival is kept in milliseconds, as the exchange table does, so that an exchange that is
  // processed again gives its event the same id.
  const std::int64_t arrived_ns = request.arrived.wall_ns / kNsPerMs * kNsPerMs;
  const bool has_time = event.timestamp_ns.has_value();
  const std::int64_t timestamp_ns =
      has_time ? *event.timestamp_ns
               : std::max<std::int64_t>(arrived_ns + event.arrival_offset_ns, 0);
  const EventId id =
      has_time ? hasher_.Hash(event, payload_json_, timestamp_ns, 0)
               : hasher_.Hash(event, payload_json_, timestamp_ns, request.exchange, index);
  store_->Submit({.id = id,
                  .event = event,
                  .payload_json = payload_json_,
                  .timestamp_ns = timestamp_ns,
                  .received_ns = request.arrived.wall_ns},
                 Completion(this, ticket));
}

void EventsHandler::OnComplete(std::uint32_t ticket, Outcome outcome, std::string_view reason) {
  Count(outcome);
  advice_.Completed(outcome != Outcome::kNotNow);
  Pending& pending = pending_[ticket];
  if (outcome > pending.worst) {
    pending.worst = outcome;
    if (outcome == Outcome::kRefused) pending.reason.assign(reason);
  }
  --pending_events_;
  if (--pending.events_left == 0) {
    pending_bytes_ -= pending.bytes;
    Unlink(pending);
    free_.push_back(ticket);
    Answer(&pending);
  }
  metrics_->events.pending.Set(pending_events_);
  metrics_->events.pending_bytes.Set(pending_bytes_);
}

void EventsHandler::Link(std::uint32_t ticket) {
  const std::uint32_t newest = pending_[0].older;
  pending_[ticket].older = newest;
  pending_[ticket].newer = 0;
  pending_[newest].newer = ticket;
  pending_[0].older = ticket;
  metrics_->events.oldest_ns.Set(
      static_cast<std::uint64_t>(pending_[pending_[0].newer].arrived_ns));
}

void EventsHandler::Unlink(const Pending& pending) {
  pending_[pending.older].newer = pending.newer;
  pending_[pending.newer].older = pending.older;
  metrics_->events.oldest_ns.Set(
      static_cast<std::uint64_t>(pending_[pending_[0].newer].arrived_ns));
}

void EventsHandler::Count(Outcome outcome) {
  switch (outcome) {
    case Outcome::kStored:
      return metrics_->events.stored.Add();
    case Outcome::kDuplicate:
      return metrics_->events.duplicate.Add();
    case Outcome::kRefused:
      return metrics_->events.refused.Add();
    case Outcome::kNotNow:
      return metrics_->events.not_now.Add();
  }
}

// By the worst of its events. "Not now" counts more than a refusal: it is answered by sending all
// of them again, which stores no event twice, and then the refusal shows.
void EventsHandler::Answer(Pending* pending) {
  Reply reply = std::move(pending->reply);
  switch (pending->worst) {
    case Outcome::kStored:
    case Outcome::kDuplicate:
      return std::move(reply).Send({.code = Code::kCreated});
    case Outcome::kRefused:
      return std::move(reply).Send(
          Response::Diagnostic(Code::kUnprocessableEntity, RefusedText(pending->reason)));
    case Outcome::kNotNow:
      return std::move(reply).Send(NotNow("the store takes no events now"));
  }
}

Response EventsHandler::NotNow(std::string why) {
  Response response = Response::Diagnostic(Code::kServiceUnavailable, std::move(why));
  response.max_age_seconds = advice_.Seconds();
  return response;
}

}  // namespace collector
