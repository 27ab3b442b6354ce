// `collector setup`: prepares an engine for the elasticsearch store, from the command line.
#pragma once

#include "collector/base/result.h"
#include "collector/config.h"

namespace collector {

// Waits for the engine as long as the options say, and writes its progress to standard output.
// False if something is not as wanted at the end.
Result<bool> RunSetup(const ElasticsearchOptions& options, SetupMode mode);

}  // namespace collector
