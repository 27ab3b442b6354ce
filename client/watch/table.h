// The live table of `watch`: what arrived, by series, with the last values as a sparkline. Pure:
// time and the terminal's size are arguments, the text of a whole screen is the result.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "client/stored/stored_events.h"

namespace collector::client {

// "▁▂▅█": a column a value, from the least to the greatest of them. Gaps are blanks.
std::string Sparkline(const std::deque<double>& values, std::size_t columns);

// At most so many columns of a UTF-8 text, filled up with blanks.
std::string Fitted(const std::string& text, std::size_t columns);

// "21.5", "{"lat":40.4,"lon":-3.7}".
std::string ValueText(const Event& event);

struct ScreenSize {
  std::size_t columns = 80;
  std::size_t rows = 24;
};

class WatchTable {
 public:
  static constexpr std::size_t kSeriesMax = 1'000;  // beyond it the longest silent one is forgotten
  static constexpr std::size_t kValuesKept = 24;

  void Add(const StoredEvent& stored, std::int64_t now_ns);

  // The screen's lines, without ends: those series that were heard last, by name.
  [[nodiscard]] std::vector<std::string> Draw(const std::string& source, ScreenSize size,
                                              std::int64_t now_ns) const;

  [[nodiscard]] std::size_t series() const { return series_.size(); }
  [[nodiscard]] std::uint64_t events() const { return events_; }

 private:
  using Name = std::array<std::string, 4>;  // namespace, sender, origin, type
  struct Series {
    std::deque<double> values{};  // numbers only
    std::string last{};
    std::uint64_t events = 0;
    std::int64_t heard_ns = 0;
  };

  void ForgetOne();
  [[nodiscard]] double PerSecond(std::int64_t now_ns) const;

  std::map<Name, Series> series_;
  std::uint64_t events_ = 0;
  std::uint64_t forgotten_ = 0;  // series
  // Events by second, for the rate.
  std::deque<std::pair<std::int64_t, std::uint64_t>> seconds_;
};

}  // namespace collector::client
