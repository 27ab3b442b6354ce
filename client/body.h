// An event as the body of a request, in each format that a collector takes.
#pragma once

#include <cstdint>
#include <string>

#include "collector/base/result.h"
#include "event/event.h"

namespace collector::client {

// By their numbers in CoAP's registry (RFC 7252 section 12.3).
enum class BodyFormat : std::uint16_t {
  kJson = 50,
  kCbor = 60,
  kSenmlJson = 110,
  kSenmlCbor = 112
};

// "application/senml+json".
const char* MediaTypeOf(BodyFormat format);

// SenML names the device, what it measured, value, unit and time, and nothing else. The device is
// the event's origin; a collector takes it for the sender as well, and "default" for the namespace.
bool IsSenml(BodyFormat format);

// An Error: the format cannot say this event.
Result<std::string> EncodeBody(const Event& event, BodyFormat format);

}  // namespace collector::client
