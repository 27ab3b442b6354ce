// The command line: the client's interface, and its help.
#pragma once

#include <string>
#include <vector>

#include "client/commands/command.h"
#include "client/settings.h"
#include "collector/base/result.h"

namespace collector::client {

struct Invocation {
  std::string print{};  // not empty: print this and end well (--help, --version)
  Settings settings{};
  Run run{};  // the command; none where there is something to print
};

// Reads the arguments, without the program's name. An Error's message tells what is wrong and how
// to get help; the exit status for it is kExitUsage.
Result<Invocation> ParseCommandLine(const std::vector<std::string>& arguments,
                                    const Environment& environment);

}  // namespace collector::client
