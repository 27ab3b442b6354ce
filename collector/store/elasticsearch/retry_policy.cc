#include "collector/store/elasticsearch/retry_policy.h"

#include <algorithm>
#include <array>

#include "collector/base/clock.h"

namespace collector {
namespace {

// Errors that are not the document's, although some come with a 4xx.
constexpr std::array<std::string_view, 9> kNotTheDocuments = {
    "es_rejected_execution_exception",  // Elasticsearch's queues are full
    "rejected_execution_exception",     // OpenSearch's
    "circuit_breaking_exception",       // its heap is
    "unavailable_shards_exception",
    "cluster_block_exception",    // a disk is full, or an index made read-only
    "index_not_found_exception",  // the stream is not set up
    "index_closed_exception",
    "validation_exception",  // the cluster has all the shards it may have
    "security_exception",    // our user lacks a privilege
};

constexpr int kOk = 200;
constexpr int kCreated = 201;
constexpr int kUnauthorized = 401;
constexpr int kForbidden = 403;
constexpr int kConflict = 409;
constexpr int kPayloadTooLarge = 413;
constexpr int kTooManyRequests = 429;
constexpr int kNotImplemented = 501;

}  // namespace

Outcome JudgeItem(int status, std::string_view error_type) {
  if (status == kOk || status == kCreated) return Outcome::kStored;
  if (status == kConflict) return Outcome::kDuplicate;  // create found our own id there
  const bool not_the_documents = std::find(kNotTheDocuments.begin(), kNotTheDocuments.end(),
                                           error_type) != kNotTheDocuments.end();
  if (not_the_documents || status == kTooManyRequests || status == kUnauthorized ||
      status == kForbidden) {
    return Outcome::kNotNow;
  }
  if ((status >= 400 && status < 500) || status == kNotImplemented) return Outcome::kRefused;
  return Outcome::kNotNow;
}

RequestFate JudgeRequest(int status) {
  switch (status) {
    case kOk:
      return RequestFate::kAnswered;
    case kPayloadTooLarge:
      return RequestFate::kTooLarge;
    case kTooManyRequests:
      return RequestFate::kBusy;
    default:
      return RequestFate::kFailed;
  }
}

std::int64_t BackOffNs(std::int64_t ms_min, std::int64_t ms_max, int attempts,
                       std::uint64_t random) {
  const int doublings = std::clamp(attempts - 1, 0, 20);
  const std::int64_t limit_ns = std::min(ms_min << doublings, ms_max) * kNsPerMs;
  return static_cast<std::int64_t>(random % static_cast<std::uint64_t>(limit_ns + 1));
}

}  // namespace collector
