// What a sending command shows: each event's end on standard output, one way for people and one for
// programs; a live line and a summary on standard error.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "client/coap_client.h"
#include "client/load/histogram.h"
#include "client/settings.h"
#include "client/tally.h"

namespace collector::client {

// How one event ended.
struct Ended {
  std::string event;                 // in JSON, whatever it was sent as
  Answer answer{};                   // the last one
  int attempts = 1;                  // requests; more than one where it was tried again
  std::chrono::nanoseconds took{0};  // from the first one on
};

// "1.3 ms": three digits, in the unit that fits.
std::string DurationText(std::chrono::nanoseconds duration);

// One line of JSON: {"code":"2.01","milliseconds":1.234,"attempts":1,"retransmissions":0,...}.
std::string JsonLine(const Ended& ended);

// "POST: /events > 2.01" with the diagnostic of a refusal, then the event on a line of its own.
std::string PlainLines(const Ended& ended, bool color);

class Report {
 public:
  Report(const Settings& settings, bool json);

  // Counts an event's end, and prints it unless silent.
  void Add(const Ended& ended);

  // Shows how far it is, on a terminal that no answers go to; call it often, it shows it rarely.
  void ShowProgress(const Tally& tally, std::size_t in_flight);

  // "client: <message>" on standard error.
  void Say(const std::string& message);

  // Tells on standard error what became of all.
  void Summarise(const Tally& tally);

 private:
  using Clock = std::chrono::steady_clock;

  void ClearLive();

  const Settings settings_;
  const bool json_;
  const Clock::time_point started_ = Clock::now();
  Clock::time_point shown_{};
  bool live_ = false;  // the terminal's last line is ours to overwrite
  std::string last_code_;
  int retransmissions_ = 0;  // as far as they are known
  Histogram times_;          // of those answered
};

}  // namespace collector::client
