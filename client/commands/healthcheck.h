// client healthcheck: is the collector well?
#pragma once

#include "client/settings.h"

namespace collector::client {

// Asks GET /health and prints the answer. kExitOk: it answered 2.05. kExitFailed: another answer,
// or none within 5 s.
int RunHealthcheck(const Settings& settings);

}  // namespace collector::client
