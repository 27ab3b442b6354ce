// client completion: what makes a shell complete the client's commands and options.
#pragma once

#include <string>

#include "client/commands/command.h"

namespace collector::client {

// Scripts for the program that `app` defines.
std::string BashCompletion(const CLI::App& app);
std::string ZshCompletion(const CLI::App& app);
std::string FishCompletion(const CLI::App& app);

CommandSpec AddCompletion(CLI::App* app, const Environment& environment);

}  // namespace collector::client
