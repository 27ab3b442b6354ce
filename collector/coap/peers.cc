#include "collector/coap/peers.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstring>

namespace collector {
namespace {

template <typename T>
std::size_t Append(const T& value, std::array<std::uint8_t, 32>* bytes, std::size_t at) {
  std::memcpy(bytes->data() + at, &value, sizeof(value));
  return at + sizeof(value);
}

}  // namespace

PeerKey PeerKeyOf(const AddressPair& addresses, std::uint64_t seed) {
  const SocketAddress& peer = addresses.remote;
  std::array<std::uint8_t, 32> bytes;
  std::size_t used = Append(addresses.socket, &bytes, 0);
  if (peer.family() == AF_INET) {
    used = Append(peer.v4().sin_addr, &bytes, used);
    used = Append(peer.v4().sin_port, &bytes, used);
  } else {
    used = Append(peer.v6().sin6_addr, &bytes, used);
    used = Append(peer.v6().sin6_scope_id, &bytes, used);
    used = Append(peer.v6().sin6_port, &bytes, used);
  }
  return XXH3_64bits_withSeed(bytes.data(), used, seed) | 1;
}

}  // namespace collector
