// The events in the embedded store's file. The only file of the client with SQLite.
#pragma once

#include <memory>
#include <string>

#include "client/stored/stored_events.h"

namespace collector::client {

// Opens the file read-only. Each read is short, so the collector's log of changes does not grow on
// our account. Errors: no such file, not a store's.
Result<std::unique_ptr<StoredEvents>> OpenSqliteEvents(const std::string& path);

}  // namespace collector::client
