// The options of all commands that send events: how they are sent, how their ends are printed.
#pragma once

#include "client/delivery.h"

namespace CLI {
class App;
}

namespace collector::client {

// --retries, --non, --json and --dry-run. `delivery` outlives the app.
void AddDeliveryOptions(CLI::App* command, Delivery* delivery);

// --content-format, for the commands that have no names of their own to lose in SenML.
void AddContentFormatOption(CLI::App* command, Delivery* delivery);

}  // namespace collector::client
