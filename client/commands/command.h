// What the command line needs of a command. Each commands/<verb>.{h,cc} owns its options, its help
// and its work, and offers all of it by
//   CommandSpec Add<Verb>(CLI::App* app, const Environment& environment);
// Commands know the global options only as Settings, and each other not at all.
#pragma once

#include <functional>

#include "client/settings.h"
#include "collector/base/result.h"

namespace CLI {
class App;
}

namespace collector::client {

// getenv in the program.
using Environment = std::function<const char*(const char* name)>;

// The command with its options read. Does it and returns the exit status.
using Run = std::function<int(const Settings& settings)>;

struct CommandSpec {
  CLI::App* app = nullptr;  // the subcommand, with its options; owned by the app it was added to
  // Called after a successful parse, where this command was the one given. An Error is wrong usage:
  // what the options' own checks cannot see, like two of them that contradict each other.
  std::function<Result<Run>()> make;
};

}  // namespace collector::client
