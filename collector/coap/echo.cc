#include "collector/coap/echo.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>

#include <algorithm>

#include "collector/base/check.h"
#include "collector/base/clock.h"

namespace collector {
namespace {

constexpr std::int64_t kPeriodNs = 120 * kNsPerSecond;
constexpr std::uint32_t kProvenSeconds = 3'600;

// Never 0.
std::uint32_t SecondOf(std::int64_t now_ns) {
  return static_cast<std::uint32_t>(now_ns / kNsPerSecond) + 1;
}

}  // namespace

EchoChallenge::EchoChallenge() {
  CHECK(getrandom(secret_.data(), secret_.size(), 0) == static_cast<ssize_t>(secret_.size()));
}

EchoChallenge::Value EchoChallenge::Of(PeerKey peer, std::int64_t period) const {
  const std::array<std::uint64_t, 2> input = {peer, static_cast<std::uint64_t>(period)};
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  CHECK(HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()),
             reinterpret_cast<const unsigned char*>(input.data()), sizeof(input), digest.data(),
             nullptr) != nullptr);
  Value value;
  std::copy_n(digest.begin(), value.size(), value.begin());
  return value;
}

EchoChallenge::Value EchoChallenge::For(PeerKey peer, std::int64_t now_ns) const {
  return Of(peer, now_ns / kPeriodNs);
}

bool EchoChallenge::Holds(PeerKey peer, Bytes value, std::int64_t now_ns) const {
  if (value.size() != Value().size()) return false;
  const std::int64_t period = now_ns / kPeriodNs;
  for (const std::int64_t asked : {period, period - 1}) {
    const Value wanted = Of(peer, asked);
    if (CRYPTO_memcmp(wanted.data(), value.data(), wanted.size()) == 0) return true;
  }
  return false;
}

void ProvenPeers::Add(PeerKey peer, std::int64_t now_ns) {
  auto& peers = rows_[RowOf(peer)].peers;
  auto place = std::find_if(peers.begin(), peers.end(),
                            [peer](const Peer& other) { return other.tag == TagOf(peer); });
  if (place == peers.end()) {
    place = std::min_element(peers.begin(), peers.end(),
                             [](const Peer& a, const Peer& b) { return a.second < b.second; });
  }
  *place = {.tag = TagOf(peer), .second = SecondOf(now_ns)};
}

bool ProvenPeers::Has(PeerKey peer, std::int64_t now_ns) const {
  const auto& peers = rows_[RowOf(peer)].peers;
  const std::uint32_t now = SecondOf(now_ns);
  return std::any_of(peers.begin(), peers.end(), [peer, now](const Peer& other) {
    return other.tag == TagOf(peer) && other.second != 0 && now - other.second < kProvenSeconds;
  });
}

}  // namespace collector
