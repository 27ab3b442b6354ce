// client send: one event.
#pragma once

#include <string>

#include "client/settings.h"

namespace collector::client {

struct SendOptions {
  std::string type;
  std::string value;      // as ParseValue takes it
  std::string timestamp;  // RFC 3339; empty: now
  std::string id;         // empty: none
};

// Returns the exit status.
int RunSend(const Settings& settings, const SendOptions& options);

}  // namespace collector::client
