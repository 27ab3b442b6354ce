// The event's identity: deterministic, so that the same event sent twice, to another replica or a
// day later is stored once; time first, so that inserts stay together in the store's key order.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "event/event.h"

struct evp_md_st;
struct evp_md_ctx_st;

namespace collector {

// 6 bytes milliseconds since the epoch, big-endian, then 10 bytes of SHA-256.
using EventId = std::array<std::uint8_t, 16>;

std::string ToHex(const EventId& id);

// Computes ids; holds the digest's state so that one id costs no allocation. One thread.
class EventIdHasher {
 public:
  EventIdHasher();
  ~EventIdHasher();
  EventIdHasher(const EventIdHasher&) = delete;
  EventIdHasher& operator=(const EventIdHasher&) = delete;

  // The id of an event. `payload_json` is its canonical payload (AppendPayloadJson) and
  // `timestamp_ns` its own timestamp, or where it has none the collector's arrival time. In that
  // second case `exchange` must identify the exchange it came by and `index` its place among that
  // request's events, because then nothing else tells two equal readings apart; else they are 0.
  EventId Hash(const Event& event, std::string_view payload_json, std::int64_t timestamp_ns,
               std::uint64_t exchange, std::uint32_t index = 0);

 private:
  struct MdFree {
    void operator()(evp_md_st* md) const;
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_st, MdFree> sha256_;
  std::unique_ptr<evp_md_ctx_st, MdFree> context_;
  std::string canonical_;  // reused
};

}  // namespace collector
