// client replay: recorded data as events.
#pragma once

#include <cstddef>
#include <string>

#include "client/commands/command.h"
#include "client/row_mapping.h"

namespace collector::client {

struct ReplayCommand {
  std::string file{};        // .csv, .tsv, .ndjson or .jsonl
  std::string delimiter{};   // empty: a tab in a .tsv, else a comma
  std::string state_file{};  // empty: beside the file
  RowOptions rows{};
  double speed = 0;  // times as fast as recorded; 0: as fast as possible
  std::size_t window = 64;
  bool restart = false;

  // Sends each row's values, and notes to where all is answered, so that it goes on there when it
  // was ended or killed. Returns the exit status.
  int operator()(const Settings& settings) const;
};

CommandSpec AddReplay(CLI::App* app, const Environment& environment);

}  // namespace collector::client
