// Answers of the embedded store as the page reads them: JSON, and CSV.
#pragma once

#include <string>

#include "collector/store/sqlite/reader.h"

namespace collector {

std::string ErrorJson(const std::string& what);
std::string SeriesJson(const SeriesList& list);
std::string ChartJson(const Chart& chart);
std::string EventsJson(const EventPage& page);
std::string PositionsJson(const std::vector<PositionRow>& positions);

// One event, as in EventsJson.
void AppendEventJson(const EventRow& event, std::string* out);

// RFC 4180. A text is its own; other values are JSON.
inline constexpr const char* kCsvHeader =
    "id,namespace,sender,origin,type,value,payload,timestamp,received\r\n";
void AppendEventCsv(const EventRow& event, std::string* out);

// A number; null if JSON has none for it.
void AppendNumberJson(double number, std::string* out);

}  // namespace collector
