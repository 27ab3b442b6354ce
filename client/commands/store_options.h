// The options of commands that read a collector's store back.
#pragma once

#include <memory>
#include <string>

#include "client/commands/command.h"
#include "client/stored/stored_events.h"

namespace collector::client {

struct StoreOptions {
  std::string sqlite{};
  std::string url{};
  std::string stream = "metrics-coap.events-default";
  std::string user{};
  std::string password_file{};
  std::string api_key_file{};
  std::string bearer_file{};
  std::string ca_file{};
  // Secrets come from the environment or files, never from arguments.
  std::string password{};
  std::string api_key{};
  std::string bearer{};
};

// Defaults are from the collector's own variables (COLLECTOR_SQLITE_PATH,
// COLLECTOR_ELASTICSEARCH_URL...). `options` must live as long as `command`.
void AddStoreOptions(CLI::App* command, const Environment& environment, StoreOptions* options);

// Errors: no store named, or two; contradicting credentials; what cannot be opened.
Result<std::unique_ptr<StoredEvents>> OpenStore(const StoreOptions& options);

// The Authorization header's value; empty without credentials.
Result<std::string> AuthorizationOf(const StoreOptions& options);

}  // namespace collector::client
