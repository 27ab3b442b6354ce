// The collector's own page, and what it asks for: GET /, /assets/... and /api/...
// (docs/page-api.md). Runs on the threads of the HTTP server, each with a store reader while it
// asks; nothing here is on the way of an event.
#pragma once

#include <spdlog/logger.h>

#include <memory>
#include <string>

#include "collector/base/metrics.h"
#include "collector/base/result.h"
#include "collector/base/service_state.h"

namespace httplib {
class Server;
}

namespace collector {

struct PageOptions {
  std::string sqlite_path;  // empty: events are kept elsewhere, and only that is told
  std::int64_t query_ms_max = 5'000;
  std::int64_t export_rows_max = 1'000'000;
  int export_seconds_max = 60;
  std::size_t live_max = 32;
};

class Page {
 public:
  // The database exists. State, metrics outlive it.
  static std::unique_ptr<Page> Create(const PageOptions& options, const ServiceState* state,
                                      const Metrics* metrics, std::shared_ptr<spdlog::logger> log);
  ~Page();
  Page(const Page&) = delete;
  Page& operator=(const Page&) = delete;

  // The server ends before this object does.
  void AddRoutes(httplib::Server* server);

  // How many threads it may hold at a time.
  [[nodiscard]] std::size_t threads() const;

  // Ends what is under way: queries, downloads, open pages. Any thread.
  void Stop();

 private:
  struct Impl;
  explicit Page(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace collector
