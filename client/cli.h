// The command line: the client's interface, and its help.
#pragma once

#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "client/commands/city.h"
#include "client/commands/incremental.h"
#include "client/commands/send.h"
#include "client/commands/system.h"
#include "client/settings.h"
#include "collector/base/result.h"

namespace collector::client {

struct Healthcheck {};
using Command =
    std::variant<Healthcheck, SendOptions, IncrementalOptions, CityOptions, SystemOptions>;

struct Invocation {
  std::string print;  // not empty: print this and end well (--help, --version)
  Settings settings;
  Command command;
};

// getenv in the program.
using Environment = std::function<const char*(const char* name)>;

// Reads the arguments, without the program's name. An Error's message tells what is wrong and how
// to get help; the exit status for it is kExitUsage.
Result<Invocation> ParseCommandLine(const std::vector<std::string>& arguments,
                                    const Environment& environment);

// Does it; returns the exit status.
int Run(const Invocation& invocation);

}  // namespace collector::client
