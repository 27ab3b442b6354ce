#include "client/load/report.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <utility>

#include "client/report.h"

namespace collector::client {
namespace {

constexpr std::size_t kBarColumns = 24;

double Us(std::uint64_t ns) { return static_cast<double>(ns) / 1e3; }

std::uint64_t Of(const FleetReport& report, Outcome outcome) {
  return report.outcomes[static_cast<std::size_t>(outcome)];
}

std::uint64_t Unanswered(const FleetReport& report) {
  return report.sent - Of(report, Outcome::kStored) - Of(report, Outcome::kRefused) -
         Of(report, Outcome::kUnavailable);
}

double PerSecond(const Handshakes& handshakes) {
  return static_cast<double>(handshakes.count) * 1e9 /
         static_cast<double>(std::max<std::int64_t>(handshakes.ns, 1));
}

double PerSecond(const FleetReport& report, std::uint64_t count) {
  if (report.measured_ns == 0) return 0;
  return static_cast<double>(count) * 1e9 / static_cast<double>(report.measured_ns);
}

std::string CodeOf(std::size_t code) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "%u.%02u", static_cast<unsigned>(code >> 5),
                static_cast<unsigned>(code & 31));
  return text.data();
}

std::string Fixed(double number, int digits) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, number);
  return text.data();
}

std::string Rate(double per_second) {
  return Grouped(static_cast<std::uint64_t>(per_second + 0.5)) + "/s";
}

std::string Time(std::uint64_t ns) {
  return DurationText(std::chrono::nanoseconds(static_cast<std::int64_t>(ns)));
}

struct Line {
  explicit Line(std::string* out, const char* name) : out_(out) {
    out_->append(name).resize(out_->size() + 13 - std::char_traits<char>::length(name), ' ');
  }
  ~Line() { out_->push_back('\n'); }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;
  // "12 lost", and nothing where there are none.
  Line& Add(std::uint64_t count, const char* what, bool always = false) {
    if (count == 0 && !always) return *this;
    if (!std::exchange(first_, false)) out_->append(", ");
    out_->append(Grouped(count)).append(" ").append(what);
    return *this;
  }
  Line& Add(const std::string& text) {
    if (!std::exchange(first_, false)) out_->append(", ");
    out_->append(text);
    return *this;
  }

 private:
  std::string* out_;
  bool first_ = true;
};

nlohmann::ordered_json AnswersJson(const FleetReport& report) {
  auto answers = nlohmann::ordered_json::object();
  for (std::size_t code = 0; code < report.codes.size(); ++code) {
    if (report.codes[code] > 0) answers[CodeOf(code)] = report.codes[code];
  }
  return answers;
}

}  // namespace

std::string Grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, 1, ',');
  return text;
}

Tally TallyOf(const FleetReport& report) {
  Tally tally;
  tally.CountSent(report.sent);
  for (const Outcome outcome : {Outcome::kStored, Outcome::kRefused, Outcome::kUnavailable}) {
    tally.Count(outcome, Of(report, outcome));
  }
  return tally;
}

std::string LoadText(const LoadReport& report) {
  const FleetReport& fleet = report.fleet;
  std::string text;
  if (report.handshakes) {
    Line(&text, "sessions")
        .Add(report.handshakes->count, "DTLS", true)
        .Add(Rate(PerSecond(*report.handshakes)));
  }
  Line(&text, "events")
      .Add(Rate(PerSecond(fleet, fleet.measured)) + " stored over " +
           Time(static_cast<std::uint64_t>(fleet.measured_ns)));
  if (report.options.rate > 0) {
    Line(&text, "wanted")
        .Add(Rate(report.options.rate) + ", sent " + Rate(PerSecond(fleet, fleet.offered)))
        .Add(fleet.overdue, "not sent for want of room in --window");
  }
  Line(&text, "latency")
      .Add("p50 " + Time(fleet.latency.Quantile(0.5)))
      .Add("p90 " + Time(fleet.latency.Quantile(0.9)))
      .Add("p99 " + Time(fleet.latency.Quantile(0.99)))
      .Add("p99.9 " + Time(fleet.latency.Quantile(0.999)))
      .Add("max " + Time(fleet.latency.max()));
  Line(&text, "in all")
      .Add(fleet.sent, "sent", true)
      .Add(Of(fleet, Outcome::kStored), "stored", true)
      .Add(Of(fleet, Outcome::kRefused), "refused", true)
      .Add(Of(fleet, Outcome::kUnavailable), "unavailable", true)
      .Add(Unanswered(fleet), "unanswered", true);
  {
    Line answers(&text, "answers");
    for (std::size_t code = 0; code < fleet.codes.size(); ++code) {
      if (fleet.codes[code] > 0) answers.Add(CodeOf(code) + ": " + Grouped(fleet.codes[code]));
    }
    answers.Add(fleet.separate, "separate").Add(fleet.empty_acks, "empty ACKs");
    answers.Add(fleet.reset, "resets").Add(fleet.unexpected, "that answer nothing in flight");
  }
  Line(&text, "datagrams")
      .Add(fleet.retransmitted, "retransmitted", true)
      .Add(fleet.exchanges_again, "events sent again as new requests")
      .Add(fleet.lost, "lost by --loss")
      .Add(report.drops, "dropped by this machine")
      .Add(report.send_errors, "not sent for an error");
  Line(&text, "load itself")
      .Add(Fixed(report.cost.cpu_us_per_event, 2) + " us CPU an event")
      .Add(Fixed(report.cost.busy * 100, 0) + " % busy");
  return text;
}

nlohmann::ordered_json LoadJson(const LoadReport& report) {
  const FleetReport& fleet = report.fleet;
  nlohmann::ordered_json json = {{"devices", report.options.devices},
                                 {"window", report.options.window},
                                 {"rate", report.options.rate},
                                 {"elapsed_s", static_cast<double>(fleet.elapsed_ns) / 1e9},
                                 {"measured_s", static_cast<double>(fleet.measured_ns) / 1e9},
                                 {"events", fleet.measured},
                                 {"events_per_s", PerSecond(fleet, fleet.measured)},
                                 {"offered_per_s", PerSecond(fleet, fleet.offered)},
                                 {"latency_us",
                                  {{"p50", Us(fleet.latency.Quantile(0.5))},
                                   {"p90", Us(fleet.latency.Quantile(0.9))},
                                   {"p99", Us(fleet.latency.Quantile(0.99))},
                                   {"p99.9", Us(fleet.latency.Quantile(0.999))},
                                   {"max", Us(fleet.latency.max())},
                                   {"count", fleet.latency.total()}}},
                                 {"sent", fleet.sent},
                                 {"stored", Of(fleet, Outcome::kStored)},
                                 {"refused", Of(fleet, Outcome::kRefused)},
                                 {"unavailable", Of(fleet, Outcome::kUnavailable)},
                                 {"unanswered", Unanswered(fleet)},
                                 {"overdue", fleet.overdue},
                                 {"answers", AnswersJson(fleet)},
                                 {"retransmitted", fleet.retransmitted},
                                 {"exchanges_again", fleet.exchanges_again},
                                 {"reset", fleet.reset},
                                 {"empty_acks", fleet.empty_acks},
                                 {"separate", fleet.separate},
                                 {"unexpected", fleet.unexpected},
                                 {"lost", fleet.lost},
                                 {"drops", report.drops},
                                 {"send_errors", report.send_errors},
                                 {"load_cpu_us_per_event", report.cost.cpu_us_per_event},
                                 {"load_busy", report.cost.busy},
                                 {"answers_per_read", report.cost.answers_per_read}};
  if (report.handshakes) {
    json["handshakes"] = report.handshakes->count;
    json["handshakes_per_s"] = PerSecond(*report.handshakes);
  }
  if (report.verify.has_value()) json["verify"] = VerifyJson(*report.verify);
  return json;
}

std::string ProgressLine(const Progress& progress, std::size_t columns) {
  std::string line;
  if (progress.done >= 0) {
    const double done = std::clamp(progress.done, 0.0, 1.0);
    const auto full = static_cast<std::size_t>(done * kBarColumns);
    line = "[" + std::string(full, '#') + std::string(kBarColumns - full, '-') + "] " +
           Fixed(done * 100, 0) + " %  ";
  }
  line += Fixed(progress.seconds, 0) + " s  " + Rate(progress.events_per_s) + "  " +
          Grouped(progress.stored) + " of " + Grouped(progress.sent) + " stored";
  if (progress.failed > 0) line += ", " + Grouped(progress.failed) + " not";
  line += ", " + Grouped(progress.in_flight) + " in flight";
  if (line.size() >= columns) line.resize(columns > 0 ? columns - 1 : 0);
  return line;
}

}  // namespace collector::client
