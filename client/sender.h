// Sends events and reports their answers: what all sending commands share.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "client/coap_client.h"
#include "client/delivery.h"
#include "client/report.h"
#include "client/settings.h"
#include "client/tally.h"
#include "collector/base/result.h"
#include "event/event.h"

namespace collector::client {

// What a command has measured; the sender makes an event of it.
struct Reading {
  std::string type;
  Json value;
  std::optional<std::int64_t> timestamp_ns{};  // none: the time of sending
  std::string client_id{};
};

// Keeps at most 64 events in flight; within that the next never waits for the last one's answer.
// Each answer is printed to standard output when it comes ("POST: /events > 2.01", then the event),
// unless silent; troubles are told on standard error. An event that is to be tried again is in
// flight until that is settled.
class Sender {
 public:
  using Clock = std::chrono::steady_clock;

  // Errors: the host cannot be resolved or reached.
  static Result<std::unique_ptr<Sender>> Create(const Settings& settings,
                                                const Delivery& delivery = {});

  // Sends one event, waiting first for room. False: stop sending; Finish tells why in its status.
  bool Send(Reading reading);

  // The same for a whole event; one without a time gets that of sending. An Error of kInvalid: this
  // one cannot be sent, others may be; it is not told yet. Any other Error: as false above.
  Status SendEvent(Event event);

  // An event with the names of the settings, and nothing else.
  [[nodiscard]] Event NewEvent() const;

  // Sent, or to be sent again, and not settled.
  [[nodiscard]] std::size_t in_flight() const;

  // Tells on standard error that an event could not be sent, and counts it as a failure.
  void TellUnsent(const std::string& why);

  // Takes answers until `due`. False: stop sending.
  bool WaitUntil(Clock::time_point due);

  // Waits for the answers still due (after an interrupt not for long), prints a summary where more
  // than one event was sent, and returns the exit status.
  int Finish();

 private:
  struct Pending {
    std::string event;  // as it is printed
    Clock::time_point started;
    int attempts = 0;
    std::optional<int> retransmissions = 0;
  };
  struct Retry {
    Request request;
    Answer answer;  // the last one, should there be no other
  };

  Sender(const Settings& settings, const Delivery& delivery);

  void Turn(std::chrono::milliseconds wait);
  void SendDueRetries();
  void TellSilence();
  void PrintUnsent(const Event& event, const std::string& body) const;
  void OnAnswer(const Request& request, const Answer& answer);
  void End(std::uint64_t key, const Answer& answer);
  void TellUnanswered(const std::string& event, const Answer& answer);
  std::int64_t NextTimestamp();

  const Settings settings_;
  const std::string sender_;
  const std::string origin_;
  const Delivery delivery_;
  const Clock::time_point started_ = Clock::now();
  std::unique_ptr<CoapClient> client_;  // none in a dry run
  Tally tally_;
  Report report_;
  std::uint64_t next_key_ = 0;
  std::map<std::uint64_t, Pending> pending_;         // by their requests' key
  std::multimap<Clock::time_point, Retry> retries_;  // by when they are due
  std::int64_t last_timestamp_ns_ = 0;
  bool stopped_ = false;    // nothing more is to be sent
  bool ended_any_ = false;  // one request has had its answer, or has none
  bool told_silence_ = false;
  bool told_away_ = false;    // the collector does not answer any more, and that is said
  bool told_absent_ = false;  // there is none, and that is said
};

// This machine's.
std::string HostName();

// Prints "client: <message>" to standard error.
void Tell(const std::string& message);

// The same, and returns `status`.
int Fail(const std::string& message, int status);

}  // namespace collector::client
