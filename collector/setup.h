// `collector setup`: prepares an engine for the elasticsearch store, from the command line.
#pragma once

#include "collector/base/result.h"
#include "collector/config.h"

namespace collector {

// Waits for the engine, and then for Kibana, as long as the options say, and writes its progress to
// standard output. Kibana is left alone where its URL is empty; it gets the engine's credentials.
// False if something is not as wanted at the end.
Result<bool> RunSetup(const ElasticsearchOptions& options, SetupMode mode,
                      const std::string& kibana_url);

}  // namespace collector
