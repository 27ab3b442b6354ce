// client watch: what arrives in a collector's store.
#pragma once

#include <cstdint>
#include <string>

#include "client/commands/command.h"
#include "client/commands/store_options.h"

namespace collector::client {

struct WatchCommand {
  std::string type{};  // empty: each
  bool json = false;
  std::uint64_t count = 0;  // end after so many events; 0: never
  StoreOptions store{};
  bool name_space_given = false;

  int operator()(const Settings& settings) const;
};

CommandSpec AddWatch(CLI::App* app, const Environment& environment);

}  // namespace collector::client
