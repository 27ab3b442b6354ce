#include "collector/middleware/body_assembly.h"

#include <algorithm>
#include <utility>

namespace collector {
namespace {

// When there is no room, a body that waits for its next block for longer than this gives way.
constexpr std::int64_t kStalledNs = 5 * kNsPerSecond;

// How long a block may still come from a peer that sends it again and again: MAX_TRANSMIT_SPAN
// (RFC 7252 section 4.8.2).
constexpr std::int64_t kTransmitSpanNs = 45 * kNsPerSecond;

// Seconds after which a refused device may try again: not all at once.
std::uint32_t RetrySeconds(const Request& request) {
  return 5 + static_cast<std::uint32_t>(request.body % 11);
}

Response TooLarge(std::size_t bytes_max) {
  Response response = Response::Diagnostic(Code::kRequestEntityTooLarge,
                                           "larger than " + std::to_string(bytes_max) + " bytes");
  response.size1_bytes = static_cast<std::uint32_t>(bytes_max);
  return response;
}

// A block that is not the last has the size it says; the last may be shorter.
bool SizeIsRight(const Request& request) {
  const std::size_t bytes = request.payload.size();
  return request.block1->more ? bytes == request.block1->bytes() : bytes <= request.block1->bytes();
}

}  // namespace

BodyAssembly::BodyAssembly(const BodyAssemblyOptions& options, Metrics* metrics)
    : options_(options), metrics_(metrics) {}

Handler BodyAssembly::Wrap(Handler next) {
  return [this, next = std::move(next)](const Request& request, Reply reply) {
    if (request.block1) return OnBlock(request, std::move(reply), next);
    if (request.payload_cut) {
      Response response = TooLarge(options_.body_bytes_max);
      response.payload = "too large for one message: send it in blocks (RFC 7959)";
      return std::move(reply).Send(std::move(response));
    }
    next(request, std::move(reply));
  };
}

void BodyAssembly::OnBlock(const Request& request, Reply reply, const Handler& next) {
  const Block& block = *request.block1;
  const std::size_t end = block.offset() + request.payload.size();
  const std::size_t least = end + (block.more ? 1 : 0);
  if (request.payload_cut ||
      std::max<std::size_t>(least, request.size1.value_or(0)) > options_.body_bytes_max) {
    Forget(request.body);
    return std::move(reply).Send(TooLarge(options_.body_bytes_max));
  }
  if (!SizeIsRight(request)) {
    return std::move(reply).Send(
        Response::Diagnostic(Code::kBadRequest, "the payload does not fill its block"));
  }
  if (block.number == 0) return OnFirst(request, std::move(reply), next);
  const std::int64_t now_ns = request.arrived.monotonic_ns;
  const auto found = bodies_.find(request.body);
  if (found == bodies_.end() || now_ns - found->second.last_ns > options_.idle_ns_max ||
      found->second.bytes.size() != block.offset() ||
      found->second.content_format != request.content_format) {
    return std::move(reply).Send(
        Response::Diagnostic(Code::kRequestEntityIncomplete, "blocks are missing: begin again"));
  }
  Body& body = found->second;
  body.bytes.append(request.payload);
  body.last_ns = now_ns;
  if (block.more) return std::move(reply).Send({.code = Code::kContinue});
  const std::string bytes = std::move(body.bytes);
  bodies_.erase(found);
  metrics_->bodies.assembling.Set(bodies_.size());
  metrics_->bodies.completed.Add();
  Request whole = request;
  whole.payload = bytes;
  next(whole, std::move(reply));
}

bool BodyAssembly::OtherUnderWay(const Request& request) const {
  const auto found = bodies_.find(request.body);
  return found != bodies_.end() && !found->second.bytes.starts_with(request.payload) &&
         request.arrived.monotonic_ns - found->second.last_ns < kTransmitSpanNs;
}

void BodyAssembly::OnFirst(const Request& request, Reply reply, const Handler& next) {
  if (!request.block1->more) return next(request, std::move(reply));
  const std::int64_t now_ns = request.arrived.monotonic_ns;
  const char* refusal = OtherUnderWay(request) ? "one body at a time, or tag each" : nullptr;
  if (refusal == nullptr) {
    Forget(request.body);
    if (!MakeRoom(now_ns)) refusal = "too many bodies at once";
  }
  if (refusal != nullptr) {
    metrics_->bodies.refused.Add();
    Response response = Response::Diagnostic(Code::kServiceUnavailable, refusal);
    response.max_age_seconds = RetrySeconds(request);
    return std::move(reply).Send(std::move(response));
  }
  bodies_[request.body] = {.bytes = std::string(request.payload),
                           .content_format = request.content_format,
                           .last_ns = now_ns};
  metrics_->bodies.assembling.Set(bodies_.size());
  std::move(reply).Send({.code = Code::kContinue});
}

bool BodyAssembly::MakeRoom(std::int64_t now_ns) {
  if (bodies_.size() < options_.bodies_max) return true;
  ForgetIdle(now_ns);
  if (bodies_.size() < options_.bodies_max) return true;
  const auto oldest =
      std::min_element(bodies_.begin(), bodies_.end(), [](const auto& left, const auto& right) {
        return left.second.last_ns < right.second.last_ns;
      });
  if (oldest == bodies_.end() || now_ns - oldest->second.last_ns < kStalledNs) return false;
  Forget(oldest->first);
  return true;
}

void BodyAssembly::ForgetIdle(std::int64_t now_ns) {
  const std::size_t forgotten = std::erase_if(bodies_, [&](const auto& entry) {
    return now_ns - entry.second.last_ns > options_.idle_ns_max;
  });
  metrics_->bodies.abandoned.Add(forgotten);
  metrics_->bodies.assembling.Set(bodies_.size());
}

void BodyAssembly::Forget(std::uint64_t body) {
  if (bodies_.erase(body) == 0) return;
  metrics_->bodies.abandoned.Add();
  metrics_->bodies.assembling.Set(bodies_.size());
}

std::size_t BodyAssembly::assembling(std::int64_t now_ns) {
  ForgetIdle(now_ns);
  return bodies_.size();
}

}  // namespace collector
