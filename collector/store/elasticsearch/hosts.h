// Which of several URLs the next request goes to: in turn, but for those that failed lately.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace collector {

class Hosts {
 public:
  explicit Hosts(const std::vector<std::string>& urls);  // at least one

  // The next one in turn that is not set aside; else the one whose time is up first, because
  // something must be tried. One whose time is up gets one request, which decides about it.
  std::size_t Pick(std::int64_t now_ns);

  // A request to it ended. One that failed is set aside, each time for twice as long.
  void Succeeded(std::size_t host);
  void Failed(std::size_t host, std::int64_t now_ns);

  [[nodiscard]] const std::string& url(std::size_t host) const { return hosts_[host].url; }

 private:
  struct Host {
    std::string url;
    int failures = 0;  // in a row
    std::int64_t aside_until_ns = 0;
  };
  std::vector<Host> hosts_;
  std::size_t next_ = 0;
};

}  // namespace collector
