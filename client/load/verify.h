// Whether a store holds what its collector acknowledged. Events are compared by what they say, not
// by the ids that the collector gives them: a device never sends two with one time.
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "client/load/fleet.h"
#include "client/stored/stored_events.h"

namespace collector::client {

struct VerifyReport {
  // Events by how they ended, and by how often they are in the store: not, once, more than once.
  std::array<std::array<std::uint64_t, 3>, 4> events{};
  std::uint64_t altered = 0;  // stored with another payload than was sent; also counted above
  std::uint64_t others = 0;   // of the same sender and time, but not of this load
  std::vector<std::string> examples{};  // of what is wrong; a few

  [[nodiscard]] std::uint64_t acknowledged() const;
  [[nodiscard]] std::uint64_t missing() const;  // acknowledged, and not stored
  [[nodiscard]] std::uint64_t doubled() const;  // stored more than once
  [[nodiscard]] std::uint64_t refused_stored() const;
  // Every acknowledged event is stored once; nothing is stored twice, altered, or although it was
  // refused.
  [[nodiscard]] bool proven() const;
};

class Verifier {
 public:
  // `sent` and `maker` outlive the verifier.
  Verifier(const std::vector<SentEvent>& sent, const RequestMaker& maker);

  // All that Verifier must be given by Take lies between.
  [[nodiscard]] std::int64_t from_ns() const { return from_ns_; }
  [[nodiscard]] std::int64_t to_ns() const { return to_ns_; }
  [[nodiscard]] EventFilter filter() const;

  void Take(const StoredEvent& stored);
  VerifyReport Finish();

 private:
  struct Place {
    SentEvent sent;
    std::uint8_t times = 0;  // stored
  };

  [[nodiscard]] Place* Find(const Event& event);
  [[nodiscard]] std::string Text(const SentEvent& sent) const;
  void AddExample(const std::string& what, const SentEvent& sent);

  const RequestMaker& maker_;
  std::vector<Json> values_;
  std::vector<Place> places_;  // by device and time
  std::int64_t from_ns_ = 0;
  std::int64_t to_ns_ = 0;
  VerifyReport report_;
};

std::string VerifyText(const VerifyReport& report, const std::string& store);
nlohmann::ordered_json VerifyJson(const VerifyReport& report);

}  // namespace collector::client
