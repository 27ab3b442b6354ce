#include "client/load/verify.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <tuple>

#include "collector/base/nanoseconds.h"
#include "event/timestamp.h"

namespace collector::client {
namespace {

constexpr std::size_t kExamplesMax = 5;

constexpr auto kStoredIndex = static_cast<std::size_t>(Outcome::kStored);
constexpr auto kRefusedIndex = static_cast<std::size_t>(Outcome::kRefused);

std::uint64_t Sum(const std::array<std::uint64_t, 3>& times) {
  return times[0] + times[1] + times[2];
}

std::string Number(std::uint64_t number) { return std::to_string(number); }

}  // namespace

std::uint64_t VerifyReport::acknowledged() const { return Sum(events[kStoredIndex]); }
std::uint64_t VerifyReport::missing() const { return events[kStoredIndex][0]; }
std::uint64_t VerifyReport::refused_stored() const {
  return events[kRefusedIndex][1] + events[kRefusedIndex][2];
}

std::uint64_t VerifyReport::doubled() const {
  std::uint64_t doubled = 0;
  for (const auto& times : events) doubled += times[2];
  return doubled;
}

bool VerifyReport::proven() const {
  return missing() == 0 && doubled() == 0 && altered == 0 && refused_stored() == 0;
}

Verifier::Verifier(const std::vector<SentEvent>& sent, const RequestMaker& maker) : maker_(maker) {
  for (const std::string& value : maker.shape().values) values_.push_back(Json::parse(value));
  places_.reserve(sent.size());
  std::int64_t from_us = std::numeric_limits<std::int64_t>::max();
  std::int64_t to_us = 0;
  for (const SentEvent& event : sent) {
    places_.push_back({.sent = event});
    from_us = std::min(from_us, event.time_us);
    to_us = std::max(to_us, event.time_us);
  }
  from_ns_ = sent.empty() ? 0 : from_us * kNsPerUs;
  to_ns_ = to_us * kNsPerUs;
  std::sort(places_.begin(), places_.end(), [](const Place& a, const Place& b) {
    return std::tie(a.sent.device, a.sent.time_us) < std::tie(b.sent.device, b.sent.time_us);
  });
}

EventFilter Verifier::filter() const {
  return {.name_space = maker_.shape().name_space, .sender = maker_.shape().sender};
}

Verifier::Place* Verifier::Find(const Event& event) {
  const std::string& prefix = maker_.shape().origin_prefix;
  if (event.origin.compare(0, prefix.size(), prefix) != 0) return nullptr;
  const char* const end = event.origin.data() + event.origin.size();
  std::uint32_t device = 0;
  const auto [last, error] = std::from_chars(event.origin.data() + prefix.size(), end, device);
  if (error != std::errc() || last != end || maker_.OriginOf(device) != event.origin) {
    return nullptr;
  }
  const std::int64_t time_us = event.timestamp_ns.value_or(0) / kNsPerUs;
  const auto found =
      std::lower_bound(places_.begin(), places_.end(), std::tie(device, time_us),
                       [](const Place& place, const auto& wanted) {
                         return std::tie(place.sent.device, place.sent.time_us) < wanted;
                       });
  const bool is_it = found != places_.end() && found->sent.device == device &&
                     found->sent.time_us * kNsPerUs == event.timestamp_ns;
  return is_it ? &*found : nullptr;
}

std::string Verifier::Text(const SentEvent& sent) const {
  return maker_.OriginOf(sent.device) + " " + FormatTimestamp(sent.time_us * kNsPerUs) + " " +
         maker_.shape().values[sent.value];
}

void Verifier::AddExample(const std::string& what, const SentEvent& sent) {
  if (report_.examples.size() < kExamplesMax) report_.examples.push_back(what + Text(sent));
}

void Verifier::Take(const StoredEvent& stored) {
  const Event& event = stored.event;
  Place* const place = Find(event);
  if (place == nullptr) {
    ++report_.others;
    return;
  }
  if (place->times < 2) ++place->times;
  const bool same = event.type == maker_.shape().type && event.extra.is_null() &&
                    event.value == values_[place->sent.value];
  if (same) return;
  ++report_.altered;
  AddExample("altered: ", place->sent);
}

VerifyReport Verifier::Finish() {
  for (const Place& place : places_) {
    ++report_.events[static_cast<std::size_t>(place.sent.outcome)][place.times];
    if (place.times == 0 && place.sent.outcome == Outcome::kStored) {
      AddExample("acknowledged, not stored: ", place.sent);
    }
    if (place.times > 1) AddExample("stored more than once: ", place.sent);
    if (place.times > 0 && place.sent.outcome == Outcome::kRefused) {
      AddExample("refused, and stored: ", place.sent);
    }
  }
  return report_;
}

std::string VerifyText(const VerifyReport& report, const std::string& store) {
  std::string text = report.proven() ? "verified" : "NOT VERIFIED";
  text += ": " + Number(report.acknowledged()) + " acknowledged events, " +
          (report.missing() == 0 ? "all" : Number(report.events[kStoredIndex][1])) +
          " stored once in " + store + "\n";
  const auto line = [&text](bool tell, const std::string& what) {
    if (tell) text += "  " + what + "\n";
  };
  for (const auto& [outcome, name] : {std::pair{Outcome::kUnanswered, "unanswered"},
                                      {Outcome::kUnavailable, "answered 5.xx or 4.29"}}) {
    const auto& times = report.events[static_cast<std::size_t>(outcome)];
    line(Sum(times) > 0, Number(Sum(times)) + " " + name + ": " + Number(times[1] + times[2]) +
                             " of them stored, " + Number(times[0]) +
                             " not; both are right, the device keeps such an event");
  }
  line(Sum(report.events[kRefusedIndex]) > 0 && report.refused_stored() == 0,
       Number(Sum(report.events[kRefusedIndex])) + " refused, none of them stored");
  line(report.missing() > 0, "WRONG: " + Number(report.missing()) + " acknowledged, not stored");
  line(report.doubled() > 0, "WRONG: " + Number(report.doubled()) + " stored more than once");
  line(report.altered > 0, "WRONG: " + Number(report.altered) + " stored with another payload");
  line(report.refused_stored() > 0,
       "WRONG: " + Number(report.refused_stored()) + " refused, and stored");
  for (const std::string& example : report.examples) line(true, "  " + example);
  line(report.others > 0,
       Number(report.others) + " events of the same sender and time that this load did not send");
  return text;
}

nlohmann::ordered_json VerifyJson(const VerifyReport& report) {
  nlohmann::ordered_json json = {{"proven", report.proven()}};
  for (const auto& [outcome, name] : {std::pair{Outcome::kStored, "acknowledged"},
                                      {Outcome::kRefused, "refused"},
                                      {Outcome::kUnavailable, "unavailable"},
                                      {Outcome::kUnanswered, "unanswered"}}) {
    const auto& times = report.events[static_cast<std::size_t>(outcome)];
    json[name] = {{"not_stored", times[0]}, {"stored_once", times[1]}, {"stored_more", times[2]}};
  }
  json["altered"] = report.altered;
  json["others"] = report.others;
  json["examples"] = report.examples;
  return json;
}

}  // namespace collector::client
