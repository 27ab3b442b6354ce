// Content-format check: a body that no handler here can read is refused before it is looked at.
#pragma once

#include <optional>

#include "collector/middleware/middleware.h"
#include "event/event_decoder.h"

namespace collector {

// What a request's body is written in. None given means JSON, as constrained devices leave it out.
// Nothing: no format of ours.
std::optional<EventFormat> FormatOf(const Request& request);

struct ContentFormatOptions {
  bool required = false;  // a POST without one is refused, too
};

// Answers 4.15 to a POST whose Content-Format is none of ours (RFC 7252 section 5.9.2.10).
Middleware CheckContentFormat(const ContentFormatOptions& options);

}  // namespace collector
