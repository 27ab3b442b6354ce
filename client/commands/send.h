// client send: one event.
#pragma once

#include <string>

#include "client/commands/command.h"

namespace collector::client {

struct SendCommand {
  std::string type{};
  std::string value{};      // as ParseValue takes it
  std::string timestamp{};  // RFC 3339; empty: now
  std::string id{};         // empty: none

  int operator()(const Settings& settings) const;
};

CommandSpec AddSend(CLI::App* app, const Environment& environment);

}  // namespace collector::client
