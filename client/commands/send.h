// client send: one event, or those of a file or a pipe.
#pragma once

#include <string>

#include "client/commands/command.h"
#include "client/delivery.h"

namespace collector::client {

struct SendCommand {
  std::string type{};       // empty: what is read are whole events
  std::string value{};      // as ParseValue takes it; of one event
  std::string file{};       // what to read instead; "-": standard input; empty: one event
  std::string timestamp{};  // RFC 3339; empty: that of the event, else now
  std::string id{};         // empty: none
  Delivery delivery{};

  int operator()(const Settings& settings) const;
};

CommandSpec AddSend(CLI::App* app, const Environment& environment);

}  // namespace collector::client
