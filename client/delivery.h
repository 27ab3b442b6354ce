// How a sending command's events are sent, and how their ends are printed. A plain value.
#pragma once

#include "client/body.h"

namespace collector::client {

struct Delivery {
  int retries = 0;  // times that an event is sent again which is unanswered or unavailable
  bool confirmable = true;
  BodyFormat format = BodyFormat::kJson;
  bool json = false;     // print one JSON line an event
  bool dry_run = false;  // print what would be sent; nothing is
};

}  // namespace collector::client
