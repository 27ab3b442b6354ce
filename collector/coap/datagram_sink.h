// Where the message layer's datagrams go.
#pragma once

#include <cstdint>
#include <span>

#include "collector/base/socket_address.h"

namespace collector {

using Bytes = std::span<const std::uint8_t>;

// Takes datagrams to send; copies the bytes before it returns.
class DatagramSink {
 public:
  virtual ~DatagramSink() = default;
  virtual void Send(const AddressPair& addresses, Bytes bytes) = 0;
};

}  // namespace collector
