// The events in a data stream of Elasticsearch or OpenSearch.
#pragma once

#include <memory>
#include <string>

#include "client/stored/stored_events.h"

namespace collector::client {

struct ElasticsearchEventsOptions {
  std::string url;  // one; without a final slash, user or password
  std::string stream = "metrics-coap.events-default";
  std::string authorization = {};  // the header's value; empty: none
  std::string ca_file = {};
};

// Asks the engine whether it is there. An engine shows an event up to a second after its
// acknowledgement; ReadSpan waits for that, ReadNew shows it then. What becomes visible more than
// 5 s after it arrived, ReadNew does not show.
Result<std::unique_ptr<StoredEvents>> OpenElasticsearchEvents(ElasticsearchEventsOptions options);

}  // namespace collector::client
