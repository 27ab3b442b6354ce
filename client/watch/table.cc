#include "client/watch/table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "client/load/report.h"
#include "client/value.h"
#include "collector/base/clock.h"
#include "event/event_json.h"

namespace collector::client {
namespace {

constexpr std::size_t kHeadLines = 2;
constexpr std::size_t kRateSeconds = 10;
constexpr std::size_t kLastColumns = 14;
constexpr std::size_t kCountColumns = 11;
constexpr std::size_t kAgeColumns = 6;
constexpr std::size_t kNameColumnsMax = 60;

bool IsContinuation(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

std::string RightAligned(const std::string& text, std::size_t columns) {
  return text.size() >= columns ? text : std::string(columns - text.size(), ' ') + text;
}

std::string AgeText(std::int64_t ns) {
  const std::int64_t seconds = std::max<std::int64_t>(ns / kNsPerSecond, 0);
  if (seconds < 100) return std::to_string(seconds) + " s";
  return seconds < 6'000 ? std::to_string(seconds / 60) + " min"
                         : std::to_string(seconds / 3'600) + " h";
}

}  // namespace

std::string Sparkline(const std::deque<double>& values, std::size_t columns) {
  static constexpr const char* kBars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  constexpr double kSteps = 8;
  const std::size_t shown = std::min(columns, values.size());
  std::string line(columns - shown, ' ');
  if (shown == 0) return line;
  const auto first = values.end() - static_cast<std::ptrdiff_t>(shown);
  const auto [least, most] = std::minmax_element(first, values.end());
  for (auto value = first; value != values.end(); ++value) {
    // Halved, because the difference of two numbers may be more than a number holds.
    const double span = *most / 2 - *least / 2;
    const double share = span > 0 ? (*value / 2 - *least / 2) / span : 0.5;
    line += kBars[static_cast<std::size_t>(std::clamp(share * kSteps, 0.0, kSteps - 1))];
  }
  return line;
}

std::string Fitted(const std::string& text, std::size_t columns) {
  std::string fitted;
  std::size_t used = 0;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t next = at + 1;
    while (next < text.size() && IsContinuation(text[next])) ++next;
    if (used == columns) break;
    fitted.append(text, at, next - at);
    ++used;
    at = next;
  }
  return fitted.append(columns - used, ' ');
}

std::string ValueText(const Event& event) {
  if (event.value.is_string()) return Printable(event.value.get<std::string>());
  std::string text;
  AppendJson(event.value, &text);
  return Printable(text);
}

void WatchTable::ForgetOne() {
  const auto silent = std::min_element(
      series_.begin(), series_.end(),
      [](const auto& a, const auto& b) { return a.second.heard_ns < b.second.heard_ns; });
  series_.erase(silent);
  ++forgotten_;
}

void WatchTable::Add(const StoredEvent& stored, std::int64_t now_ns) {
  const Event& event = stored.event;
  const Name name = {event.name_space, event.sender, event.origin, event.type};
  auto found = series_.find(name);
  if (found == series_.end()) {
    if (series_.size() == kSeriesMax) ForgetOne();
    found = series_.emplace(name, Series{}).first;
  }
  Series& series = found->second;
  ++series.events;
  series.heard_ns = now_ns;
  series.last = ValueText(event);
  if (event.value.is_number()) {
    series.values.push_back(event.value.get<double>());
    if (series.values.size() > kValuesKept) series.values.pop_front();
  }
  ++events_;
  const std::int64_t second = now_ns / kNsPerSecond;
  if (seconds_.empty() || seconds_.back().first != second) seconds_.emplace_back(second, 0);
  ++seconds_.back().second;
  if (seconds_.size() > kRateSeconds + 1) seconds_.pop_front();
}

// Over the last whole seconds.
double WatchTable::PerSecond(std::int64_t now_ns) const {
  const std::int64_t now_s = now_ns / kNsPerSecond;
  std::uint64_t events = 0;
  for (const auto& [second, count] : seconds_) {
    const bool recent = second < now_s && now_s - second <= static_cast<std::int64_t>(kRateSeconds);
    if (recent) events += count;
  }
  return static_cast<double>(events) / static_cast<double>(kRateSeconds);
}

std::vector<std::string> WatchTable::Draw(const std::string& source, ScreenSize size,
                                          std::int64_t now_ns) const {
  using Entry = std::map<Name, Series>::const_iterator;
  std::vector<Entry> shown;
  for (auto entry = series_.begin(); entry != series_.end(); ++entry) shown.push_back(entry);
  const std::size_t room = size.rows > kHeadLines ? size.rows - kHeadLines : 0;
  if (shown.size() > room) {
    std::stable_sort(shown.begin(), shown.end(), [](const Entry& a, const Entry& b) {
      return a->second.heard_ns > b->second.heard_ns;
    });
    shown.resize(room);
    std::sort(shown.begin(), shown.end(),
              [](const Entry& a, const Entry& b) { return a->first < b->first; });
  }
  const auto rate = static_cast<std::uint64_t>(PerSecond(now_ns) + 0.5);
  std::string head =
      Grouped(events_) + " events, " + Grouped(rate) + "/s, " + Grouped(series_.size()) + " series";
  if (shown.size() < series_.size()) head += ", the last " + Grouped(shown.size()) + " of them";
  if (forgotten_ > 0) head += ", " + Grouped(forgotten_) + " forgotten";
  head += "   " + source;  // last, because a path may be longer than a line

  const std::size_t rest = kLastColumns + kValuesKept + kCountColumns + kAgeColumns + 4;
  const std::size_t names =
      std::clamp<std::size_t>(size.columns > rest ? size.columns - rest : 0, 12, kNameColumnsMax);
  const auto line = [&size, names](const std::string& name, const std::string& last,
                                   const std::string& spark, const std::string& events,
                                   const std::string& age) {
    return Fitted(Fitted(name, names) + " " + Fitted(last, kLastColumns) + " " +
                      Fitted(spark, kValuesKept) + " " + RightAligned(events, kCountColumns) + " " +
                      RightAligned(age, kAgeColumns),
                  size.columns);
  };
  std::vector<std::string> lines = {
      Fitted(head, size.columns),
      line("NAMESPACE/SENDER/ORIGIN TYPE", "LAST", "", "EVENTS", "HEARD")};
  for (const Entry& entry : shown) {
    const Name& name = entry->first;
    const Series& series = entry->second;
    lines.push_back(line(Printable(name[0] + "/" + name[1] + "/" + name[2] + " " + name[3]),
                         series.last, Sparkline(series.values, kValuesKept), Grouped(series.events),
                         AgeText(now_ns - series.heard_ns)));
  }
  return lines;
}

}  // namespace collector::client
