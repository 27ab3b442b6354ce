#include "collector/http/page_json.h"

#include <array>
#include <charconv>
#include <cmath>

#include "event/event_json.h"
#include "event/timestamp.h"

namespace collector {
namespace {

void AppendNames(const SeriesNames& names, std::string* out) {
  *out += "\"namespace\":";
  AppendJsonText(names.name_space, out);
  *out += ",\"sender\":";
  AppendJsonText(names.sender, out);
  *out += ",\"origin\":";
  AppendJsonText(names.origin, out);
  *out += ",\"type\":";
  AppendJsonText(names.type, out);
}

void AppendTime(const char* name, std::int64_t timestamp_ns, std::string* out) {
  *out += std::string(",\"") + name + "\":\"";
  AppendTimestamp(timestamp_ns, out);
  *out += '"';
}

// "name":[...] with what `append` writes of each bucket that has numbers.
template <typename Append>
void AppendColumn(const char* name, const ChartSeries& series, std::string* out, Append append) {
  *out += std::string(",\"") + name + "\":[";
  bool first = true;
  for (std::size_t bucket = 0; bucket < series.sums.size(); ++bucket) {
    if (series.sums[bucket].count == 0) continue;
    if (!first) *out += ',';
    first = false;
    append(bucket, series.sums[bucket]);
  }
  *out += ']';
}

void AppendChartSeries(const Buckets& buckets, const ChartSeries& series, std::string* out) {
  *out += '{';
  AppendNames(series.names, out);
  AppendColumn("t", series, out, [&](std::size_t bucket, const Sums&) {
    *out += std::to_string(buckets.from_ms + static_cast<std::int64_t>(bucket) * buckets.length_ms);
  });
  AppendColumn("min", series, out,
               [out](std::size_t, const Sums& sums) { AppendNumberJson(sums.min, out); });
  AppendColumn("mean", series, out, [out](std::size_t, const Sums& sums) {
    AppendNumberJson(sums.sum / static_cast<double>(sums.count), out);
  });
  AppendColumn("max", series, out,
               [out](std::size_t, const Sums& sums) { AppendNumberJson(sums.max, out); });
  AppendColumn("count", series, out,
               [out](std::size_t, const Sums& sums) { *out += std::to_string(sums.count); });
  *out += '}';
}

template <typename Items, typename Append>
void AppendList(const Items& items, std::string* out, Append append) {
  *out += '[';
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) *out += ',';
    append(items[i]);
  }
  *out += ']';
}

void AppendCsvText(std::string_view text, std::string* out) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
    out->append(text);
    return;
  }
  *out += '"';
  for (const char c : text) {
    if (c == '"') *out += '"';
    *out += c;
  }
  *out += '"';
}

}  // namespace

void AppendNumberJson(double number, std::string* out) {
  if (!std::isfinite(number)) {
    *out += "null";
    return;
  }
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out->append(digits.data(), end);
}

std::string ErrorJson(const std::string& what) {
  std::string json = "{\"error\":";
  AppendJsonText(what, &json);
  return json + "}\n";
}

std::string SeriesJson(const SeriesList& list) {
  std::string json = "{\"series\":";
  AppendList(list.series, &json, [&json](const SeriesRow& row) {
    json += '{';
    AppendNames(row.names, &json);
    json += ",\"count\":" + std::to_string(row.count);
    AppendTime("first", row.first_ns, &json);
    AppendTime("last", row.last_ns, &json);
    json += ",\"last_value\":" + row.last_value_json + "}";
  });
  return json + ",\"truncated\":" + (list.truncated ? "true" : "false") + "}\n";
}

std::string ChartJson(const Chart& chart) {
  std::string json = "{\"from_ms\":" + std::to_string(chart.buckets.from_ms) +
                     ",\"to_ms\":" + std::to_string(chart.buckets.to_ms) +
                     ",\"bucket_ms\":" + std::to_string(chart.buckets.length_ms) + ",\"series\":";
  AppendList(chart.series, &json,
             [&](const ChartSeries& series) { AppendChartSeries(chart.buckets, series, &json); });
  return json + ",\"truncated\":" + (chart.truncated ? "true" : "false") +
         ",\"behind\":" + std::to_string(chart.behind) + "}\n";
}

void AppendEventJson(const EventRow& event, std::string* out) {
  *out += "{\"id\":\"" + event.id + "\",";
  AppendNames(event.names, out);
  *out += ",\"value\":" + event.value_json;
  *out += ",\"payload\":" + (event.payload_json.empty() ? "null" : event.payload_json);
  AppendTime("timestamp", event.timestamp_ns, out);
  AppendTime("received", event.received_ns, out);
  *out += '}';
}

std::string EventsJson(const EventPage& page) {
  std::string json = "{\"events\":";
  AppendList(page.events, &json, [&json](const EventRow& event) { AppendEventJson(event, &json); });
  const std::string next = page.next_key ? "\"" + std::to_string(*page.next_key) + "\"" : "null";
  return json + ",\"next\":" + next + "}\n";
}

std::string PositionsJson(const std::vector<PositionRow>& positions) {
  std::string json = "{\"positions\":";
  AppendList(positions, &json, [&json](const PositionRow& position) {
    json += '{';
    AppendNames(position.names, &json);
    json += ",\"latitude\":";
    AppendNumberJson(position.latitude, &json);
    json += ",\"longitude\":";
    AppendNumberJson(position.longitude, &json);
    AppendTime("timestamp", position.timestamp_ns, &json);
    json += '}';
  });
  return json + "}\n";
}

void AppendEventCsv(const EventRow& event, std::string* out) {
  *out += event.id;
  const Json value = Json::parse(event.value_json, nullptr, false);
  for (const std::string_view text :
       {std::string_view(event.names.name_space), std::string_view(event.names.sender),
        std::string_view(event.names.origin), std::string_view(event.names.type),
        value.is_string() ? std::string_view(value.get_ref<const std::string&>())
                          : std::string_view(event.value_json),
        std::string_view(event.payload_json)}) {
    *out += ',';
    AppendCsvText(text, out);
  }
  for (const std::int64_t timestamp_ns : {event.timestamp_ns, event.received_ns}) {
    *out += ',';
    AppendTimestamp(timestamp_ns, out);
  }
  *out += "\r\n";
}

}  // namespace collector
