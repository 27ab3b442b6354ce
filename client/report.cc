#include "client/report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "client/sender.h"
#include "client/value.h"
#include "event/event.h"

namespace collector::client {
namespace {

constexpr std::chrono::milliseconds kLiveEvery{250};
constexpr const char* kClearLine = "\r\033[K";

double MillisecondsOf(std::chrono::nanoseconds duration) {
  return std::round(static_cast<double>(duration.count()) / 1e3) / 1e3;
}

// Three digits that count.
std::string ThreeDigits(double number) {
  std::array<char, 32> text{};
  const int decimals = number < 9.995 ? 2 : number < 99.95 ? 1 : 0;
  std::snprintf(text.data(), text.size(), "%.*f", decimals, number);
  return text.data();
}

const char* FailureText(Answer::Kind kind) {
  switch (kind) {
    case Answer::Kind::kReset:
      return "reset";
    case Answer::Kind::kUnreachable:
      return "unreachable";
    case Answer::Kind::kRefused:
      return "refused";
    default:
      return "timeout";
  }
}

const char* ColorOf(Outcome outcome) {
  switch (outcome) {
    case Outcome::kStored:
      return "\033[32m";
    case Outcome::kUnavailable:
      return "\033[33m";
    default:
      return "\033[31m";
  }
}

std::string Plural(int count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

}  // namespace

std::string DurationText(std::chrono::nanoseconds duration) {
  const auto ns = static_cast<double>(duration.count());
  if (ns < 999.5e6) return ThreeDigits(ns / 1e6) + " ms";
  return ThreeDigits(ns / 1e9) + " s";
}

std::string JsonLine(const Ended& ended) {
  const Answer& answer = ended.answer;
  nlohmann::ordered_json line;
  if (answer.kind == Answer::Kind::kResponse) {
    line["code"] = CodeText(answer);
  } else {
    line["code"] = nullptr;
    line["failure"] = FailureText(answer.kind);
  }
  line["milliseconds"] = MillisecondsOf(ended.took);
  line["attempts"] = ended.attempts;
  if (answer.retransmissions.has_value()) line["retransmissions"] = *answer.retransmissions;
  if (answer.max_age_s.has_value()) line["max_age"] = *answer.max_age_s;
  if (!answer.payload.empty()) line["diagnostic"] = Printable(answer.payload);
  std::string text = line.dump();
  text.pop_back();
  return text + ",\"event\":" + ended.event + "}\n";
}

std::string PlainLines(const Ended& ended, bool color) {
  const Answer& answer = ended.answer;
  const Outcome outcome = OutcomeOf(answer);
  const std::string code = CodeText(answer);
  std::string text = "POST: /events > ";
  text += color ? ColorOf(outcome) + code + "\033[0m" : code;
  if (outcome != Outcome::kStored && !answer.payload.empty()) {
    text += " " + Printable(answer.payload);
  }
  if (outcome == Outcome::kUnavailable && answer.max_age_s.has_value()) {
    text += " (try again in " + std::to_string(*answer.max_age_s) + " s)";
  }
  return text + "\n" + ended.event + "\n";
}

Report::Report(const Settings& settings, bool json) : settings_(settings), json_(json) {}

void Report::Add(const Ended& ended) {
  const bool answered = ended.answer.kind == Answer::Kind::kResponse;
  retransmissions_ += ended.answer.retransmissions.value_or(0);
  if (answered) {
    times_.Record(ended.took.count());
    last_code_ = CodeText(ended.answer);
  }
  if (settings_.silent) return;
  if (json_) {
    std::fputs(JsonLine(ended).c_str(), stdout);
  } else if (answered) {
    std::fputs(PlainLines(ended, settings_.terminal.colors).c_str(), stdout);
  }
}

void Report::ShowProgress(const Tally& tally, std::size_t in_flight) {
  const Clock::time_point now = Clock::now();
  const bool shows = settings_.terminal.live && tally.sent() > 1;
  if (!shows || now - std::max(shown_, started_) < kLiveEvery) return;
  shown_ = now;
  const double seconds = std::chrono::duration<double>(now - started_).count();
  std::fprintf(stderr, "%s%s, %zu in flight, %s events/s", kClearLine, tally.Progress().c_str(),
               in_flight, ThreeDigits(static_cast<double>(tally.sent()) / seconds).c_str());
  std::fflush(stderr);
  live_ = true;
}

void Report::ClearLive() {
  if (std::exchange(live_, false)) std::fputs(kClearLine, stderr);
}

void Report::Say(const std::string& message) {
  ClearLive();
  Tell(message);
}

void Report::Summarise(const Tally& tally) {
  ClearLive();
  std::fflush(stdout);
  std::string resent;
  if (retransmissions_ > 0) resent = ", " + Plural(retransmissions_, "retransmission");
  if (tally.sent() == 1 && times_.total() == 1) {
    const std::chrono::nanoseconds took(static_cast<std::int64_t>(times_.max()));
    if (!settings_.silent) Tell(last_code_ + " after " + DurationText(took) + resent);
    return;
  }
  if (tally.sent() <= 1) return;
  const std::chrono::duration<double> elapsed = Clock::now() - started_;
  std::array<char, 32> seconds{};
  std::snprintf(seconds.data(), seconds.size(), "%.3f", elapsed.count());
  Tell(tally.Summary() + " in " + seconds.data() + " s, " +
       ThreeDigits(static_cast<double>(tally.sent()) / elapsed.count()) + " events/s" + resent);
  if (times_.total() == 0) return;
  const auto quantile = [this](double fraction) {
    return DurationText(
        std::chrono::nanoseconds(static_cast<std::int64_t>(times_.Quantile(fraction))));
  };
  Tell("answered after " + quantile(0.5) + " (p50), " + quantile(0.9) + " (p90), " +
       quantile(0.99) + " (p99), " + quantile(0.999) + " (p99.9)");
}

}  // namespace collector::client
