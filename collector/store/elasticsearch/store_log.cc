#include "collector/store/elasticsearch/store_log.h"

#include "collector/base/clock.h"
#include "collector/base/log.h"

namespace collector {
namespace {

constexpr std::int64_t kAnewNs = kNsPerSecond;         // between lines about a new failure
constexpr std::int64_t kRepeatNs = 60 * kNsPerSecond;  // about one that goes on
constexpr std::int64_t kItemsNs = 10 * kNsPerSecond;
constexpr std::size_t kTextBytesMax = 500;

}  // namespace

std::string Told(std::string_view reason) {
  reason = reason.substr(0, reason.find("Preview of field's value"));
  std::string told(reason.substr(0, kTextBytesMax));
  for (char& c : told) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = ' ';
  }
  while (!told.empty() && (told.back() == ' ' || told.back() == '.')) told.pop_back();
  return told;
}

void StoreLog::RequestFailed(std::size_t host, int status, const std::string& failure,
                             std::int64_t now_ns) {
  Host& state = hosts_[host];
  ++state.failures;
  const bool anew = !state.told || state.status != status;
  if (state.told_ns != 0 && now_ns < state.told_ns + (anew ? kAnewNs : kRepeatNs)) return;
  const std::string what = Told(failure);
  if (anew) {
    log_->error("{}; its events are tried again until their deadline{}", what,
                Action("store-failed"));
  } else {
    log_->error("{}; {} failed requests in a row{}", what, state.failures, Action("store-failed"));
  }
  state.told = true;
  state.status = status;
  state.told_ns = now_ns;
}

void StoreLog::RequestSucceeded(std::size_t host, const std::string& url) {
  Host& state = hosts_[host];
  if (state.told) {
    log_->warn("{} takes events again, after {} failed requests{}", url, state.failures,
               Action("store-recovered"));
  }
  state.failures = 0;
  state.told = false;
}

void StoreLog::ItemsRefused(const Items& items, std::int64_t now_ns) {
  if (now_ns < refused_quiet_until_ns_) {
    refused_untold_ += items.count;
    return;
  }
  log_->error("the engine refused {} of {} events ({} more since the last such line): {}: {}{}",
              items.count, items.of, refused_untold_, Told(items.type), Told(items.reason),
              Action("events-refused"));
  refused_untold_ = 0;
  refused_quiet_until_ns_ = now_ns + kItemsNs;
}

void StoreLog::ItemsNotNow(const Items& items, std::int64_t now_ns) {
  if (now_ns < not_now_quiet_until_ns_) return;
  log_->warn("the engine did not take {} of {} events, which are tried again: {}: {}{}",
             items.count, items.of, Told(items.type), Told(items.reason), Action("events-retried"));
  not_now_quiet_until_ns_ = now_ns + kItemsNs;
}

void StoreLog::BatchTooLarge(std::size_t bytes, std::size_t bytes_max) {
  log_->warn("a batch of {} bytes is too large for the engine (413); now at most {}{}", bytes,
             bytes_max, Action("batch-too-large"));
}

}  // namespace collector
