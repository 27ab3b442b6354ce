// Bodies that come in blocks (RFC 7959 section 2.3): put together, and handed on whole.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "collector/base/metrics.h"
#include "collector/middleware/middleware.h"

namespace collector {

struct BodyAssemblyOptions {
  std::size_t body_bytes_max = 65'536;
  std::size_t bodies_max = 64;  // at a time; together they bound the memory
  // A body whose next block does not come for this long is forgotten.
  std::int64_t idle_ns_max = 60 * kNsPerSecond;
};

// Blocks come one after another: each must begin where the one before ended. The same first block
// again begins its body anew. Another one is answered 5.03 while the body that is under way may
// still get blocks: without Request-Tags those of both would be taken for one, and an event be
// stored that nobody sent. Answers 2.31 to each but the last; 4.08 where blocks are missing or of
// another format, 4.13 with Size1 as soon as a body is known to be too large, 5.03 when too many
// are under way. One thread; outlives its handlers.
class BodyAssembly {
 public:
  BodyAssembly(const BodyAssemblyOptions& options, Metrics* metrics);

  // A handler that calls `next` for whole bodies, and at once for requests without blocks.
  Handler Wrap(Handler next);

  // Bodies under way, the forgotten ones not counted.
  [[nodiscard]] std::size_t assembling(std::int64_t now_ns);

 private:
  struct Body {
    std::string bytes;
    std::optional<std::uint16_t> content_format;
    std::int64_t last_ns = 0;  // when its last block came
  };

  void OnBlock(const Request& request, Reply reply, const Handler& next);
  void OnFirst(const Request& request, Reply reply, const Handler& next);
  [[nodiscard]] bool OtherUnderWay(const Request& request) const;
  bool MakeRoom(std::int64_t now_ns);
  void ForgetIdle(std::int64_t now_ns);
  void Forget(std::uint64_t body);

  const BodyAssemblyOptions options_;
  Metrics* metrics_;
  std::unordered_map<std::uint64_t, Body> bodies_;  // by Request::body
};

}  // namespace collector
