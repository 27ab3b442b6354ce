// What the global options say. A plain value.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "client/tls.h"

namespace collector::client {

// What standard output and standard error are, and what people want of them.
struct Terminal {
  bool colors = false;      // on standard output
  bool live = false;        // a line that changes may be shown on standard error
  bool overwrites = false;  // it could be, if no answers were shown: standard error is a terminal
};

struct Settings {
  std::string host = "127.0.0.1";
  std::uint16_t port = 5683;
  std::shared_ptr<const TlsClient> tls{};  // coaps://; none: coap://
  std::chrono::seconds timeout{93};        // RFC 7252 section 4.8.2: MAX_TRANSMIT_WAIT
  std::string name_space = "default";
  std::optional<std::string> sender;  // none: the command's own default, else "client"
  std::optional<std::string> origin;  // none: the command's own default, else this machine's name
  bool silent = false;                // no answers on standard output
  Terminal terminal{};
};

}  // namespace collector::client
