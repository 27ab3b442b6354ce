#include "collector/store/elasticsearch/hosts.h"

#include <algorithm>

#include "collector/base/check.h"
#include "collector/base/clock.h"

namespace collector {
namespace {

constexpr std::int64_t kAsideNsMin = 500 * kNsPerMs;
constexpr int kDoublingsMax = 5;  // 16 s

std::int64_t AsideNs(int failures) {
  return kAsideNsMin << std::clamp(failures - 1, 0, kDoublingsMax);
}

}  // namespace

Hosts::Hosts(const std::vector<std::string>& urls) {
  CHECK(!urls.empty());
  for (const std::string& url : urls) hosts_.push_back({.url = url});
}

std::size_t Hosts::Pick(std::int64_t now_ns) {
  std::size_t picked = next_;
  for (std::size_t i = 0; i < hosts_.size(); ++i) {
    const std::size_t host = (next_ + i) % hosts_.size();
    if (hosts_[host].aside_until_ns <= now_ns) {
      picked = host;
      break;
    }
    if (hosts_[host].aside_until_ns < hosts_[picked].aside_until_ns) picked = host;
  }
  next_ = (picked + 1) % hosts_.size();
  Host& host = hosts_[picked];
  if (host.failures > 0) host.aside_until_ns = now_ns + AsideNs(host.failures);
  return picked;
}

void Hosts::Succeeded(std::size_t host) {
  hosts_[host].failures = 0;
  hosts_[host].aside_until_ns = 0;
}

void Hosts::Failed(std::size_t host, std::int64_t now_ns) {
  hosts_[host].aside_until_ns = now_ns + AsideNs(++hosts_[host].failures);
}

}  // namespace collector
