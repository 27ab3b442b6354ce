// The parameters of the page's queries, read and checked.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "collector/base/result.h"
#include "collector/store/sqlite/reader.h"

namespace collector {

using PageParameters = std::multimap<std::string, std::string>;

struct PageQuery {
  SeriesFilter filter;
  TimeRange range;
  std::optional<std::size_t> limit;
  std::optional<std::size_t> buckets;
  std::optional<std::int64_t> before_key;
};

// What a route takes beside namespace, sender, origin and type; 0: it takes no such parameter.
struct PageQueryRules {
  bool range = false;   // from, to
  bool before = false;  // a cursor of an earlier answer
  std::size_t limit_max = 0;
  std::size_t buckets_max = 0;
};

// An empty parameter counts as not given. An error names the parameter and what it may be.
Result<PageQuery> ParsePageQuery(const PageParameters& parameters, const PageQueryRules& rules);

}  // namespace collector
