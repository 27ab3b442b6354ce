// GET /.well-known/core: what this server offers, in link format (RFC 6690).
#pragma once

#include <string>
#include <string_view>

#include "collector/middleware/middleware.h"

namespace collector {

// The links that match a query like "rt=events" or "href=/ev*" (RFC 6690 section 4.1); all of them
// where it is empty. Of several conditions each must match.
std::string LinksMatching(std::string_view query);

// Accept other than link format: 4.06.
Handler WellKnownCoreHandler();

}  // namespace collector
