// client healthcheck: is the collector well?
#pragma once

#include "client/commands/command.h"

namespace collector::client {

// Asks GET /health and prints the answer. kExitOk: it answered 2.05. kExitFailed: another answer,
// or none within 5 s.
CommandSpec AddHealthcheck(CLI::App* app, const Environment& environment);

}  // namespace collector::client
