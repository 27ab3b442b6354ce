// The sockets CoAP comes in by: bound before anything else is created, and by whom they are read is
// another matter. Knows nothing of CoAP.
#pragma once

#include <string>
#include <vector>

#include "collector/base/poller.h"
#include "collector/base/result.h"
#include "collector/base/socket_address.h"

namespace collector {

struct BoundSocket {
  UniqueFd fd;
  SocketAddress address;         // with the port that was bound
  int receive_buffer_bytes = 0;  // what the system granted
};

// Those of one process.
using SocketSet = std::vector<BoundSocket>;

struct BindOptions {
  std::vector<SocketAddress> listen;     // port 0 takes a free one
  int receive_buffer_bytes = 8'388'608;  // asked for each socket
  std::string name = "coap";             // for errors
  std::size_t sets = 1;                  // processes that share the addresses
};

// Binds every address once a set. Where there is more than one set the system gives each peer's
// datagrams to the same one of them (SO_REUSEPORT), for as long as all of them are open. A wildcard
// IPv6 address is left out where the system has no IPv6.
Result<std::vector<SocketSet>> BindSockets(const BindOptions& options);

}  // namespace collector
