// At the start: whether an engine is there, which one it is, and whether what it acknowledges is
// durable. Nothing is refused but its absence.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "collector/base/result.h"
#include "collector/store/elasticsearch/elasticsearch_options.h"
#include "collector/store/elasticsearch/installation.h"

namespace collector {

struct EngineFound {
  std::string url;                         // the first that answered
  std::string name;                        // "OpenSearch 2.19.6"
  std::vector<std::string> warnings = {};  // for the operator, a line each
};

// Pauses before the next try; false: there shall be none.
using WaitToRetry = std::function<bool()>;

// Asks each URL in turn, again and again, until one answers as an engine does. Else kUnavailable
// with the last failure: the URL, its cause, what to check.
Result<EngineFound> FindEngine(const ElasticsearchOptions& options, const Exchange& exchange,
                               const WaitToRetry& wait);

}  // namespace collector
