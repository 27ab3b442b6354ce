// Kibana and OpenSearch Dashboards: one bundle of saved objects for both (data views, a search,
// dashboards), and how it gets there.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "collector/base/result.h"
#include "collector/http/http_client.h"
#include "collector/store/elasticsearch/installation.h"

namespace collector {

// observability/kibana/coap-collector.ndjson, an object a line.
extern const std::string_view kSavedObjectsBundle;

// The bundle for events in `events_stream`: a stream with another name than the default one is
// named where the bundle says metrics-coap.events-*.
std::string SavedObjectsFor(const std::string& events_stream);

struct ImportOptions {
  std::string url;     // Kibana's, without a final slash; a space's with /s/NAME
  std::string bundle;  // NDJSON
  std::int64_t request_timeout_ms = 30'000;
  bool change = true;  // false: only say what is missing
};

// Imports all objects, over those that are there, in one request; tells a line an object. False if
// one was refused, or, without `change`, is missing. Errors: kUnavailable (also a Kibana that
// starts yet), kForbidden (401, 403), kInvalid (refused otherwise).
Result<bool> ImportSavedObjects(const ImportOptions& options, const Exchange& exchange,
                                const Tell& tell);

}  // namespace collector
