// Delivers events that must arrive: each is sent until it is stored, or refused for good.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "client/coap_client.h"
#include "client/settings.h"
#include "collector/base/result.h"
#include "event/event.h"

namespace collector::client {

// Not for several threads. Troubles and their end are told once each, on standard error.
class Outbox {
 public:
  using Clock = std::chrono::steady_clock;
  // `refusal` is empty where the event is stored, else why it never will be. Runs within Turn or
  // Send, and must call neither.
  using OnEnd = std::function<void(std::uint64_t key, const std::string& refusal)>;

  // Keeps at most `in_flight_max` requests in flight. Errors: the host cannot be resolved or
  // reached. That nothing listens there is none: it may come.
  static Result<std::unique_ptr<Outbox>> Create(const Settings& settings, std::size_t in_flight_max,
                                                OnEnd on_end);

  // Takes an event; how many is the caller's to bound. Each ends once, as `key`.
  void Send(std::uint64_t key, const Event& event);

  // Sends what may be sent and takes answers, for at most `wait`; a signal ends it early.
  void Turn(std::chrono::milliseconds wait);

  // Taken and not ended.
  [[nodiscard]] std::size_t pending() const { return waiting_.size() + client_->in_flight(); }

 private:
  Outbox(const Settings& settings, std::size_t in_flight_max, OnEnd on_end);

  Status Connect();
  void SendWaiting();
  void OnAnswer(const Request& request, const Answer& answer);
  void PauseAfter(const Answer& answer);
  [[nodiscard]] std::string TroubleOf(const Answer& answer) const;

  const Settings settings_;
  const std::size_t in_flight_max_;
  const OnEnd on_end_;
  std::unique_ptr<CoapClient> client_;
  std::deque<Request> waiting_;
  Clock::time_point not_before_{};  // nothing is sent earlier
  int failures_ = 0;                // pauses since an event was stored
  bool connect_anew_ = false;       // once nothing is in flight: its address may have changed
};

}  // namespace collector::client
