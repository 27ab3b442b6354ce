// What a row of recorded data says as events. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "client/recorded_time.h"
#include "collector/base/result.h"
#include "event/event.h"

namespace collector::client {

struct RowOptions {
  std::string timestamp_column{};
  std::string timestamp_format = "auto";
  std::string utc_offset{};
  std::string type_column{};                 // empty: a value's type is its column's name
  std::vector<std::string> value_columns{};  // "column" or "type=column"; none: all others
  std::string origin_column{};               // empty: as the caller says
  std::vector<std::string> units{};          // "type=unit"
};

// Each value in a row is one event, with the row's time; its unit goes into the payload.
class RowMapping {
 public:
  static Result<RowMapping> Create(const RowOptions& options);

  // Whether a table with these columns has all that is needed; the Error names what it lacks.
  [[nodiscard]] Status Check(const std::vector<std::string>& columns) const;

  // The events of a row's cells (as of Table), without namespace and sender, and without origin
  // where there is no column for it; none where the row has no values. The Error tells what is
  // wrong with the row.
  [[nodiscard]] Result<std::vector<Event>> Read(const Json& cells) const;

 private:
  RowMapping(RowOptions options, TimeFormat time)
      : options_(std::move(options)), time_(std::move(time)) {}

  [[nodiscard]] Result<std::string> NameIn(const std::string& column, const Json& cells) const;

  RowOptions options_;
  TimeFormat time_;
  std::map<std::string, std::string> types_;  // value column to type
  std::map<std::string, std::string> units_;  // by type
};

}  // namespace collector::client
