// The access list at work: read from its file, asked for each peer and each event, read again when
// it has changed.
#pragma once

#include <spdlog/logger.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "collector/base/refusal_log.h"
#include "collector/base/watched_file.h"
#include "collector/handlers/access_list.h"
#include "collector/middleware/middleware.h"

namespace collector {

struct AccessOptions {
  std::string file;
  bool addresses_proven = false;  // of plain CoAP; for the log
};

// One thread. Outlives its handlers; the refusals outlive it.
class Access {
 public:
  static Result<std::unique_ptr<Access>> Create(const AccessOptions& options, RefusalLog* refusals,
                                                std::shared_ptr<spdlog::logger> log);

  // Looks at the file once a second. One that cannot be used leaves the list as it was.
  void Tick(std::int64_t now_ns);

  // Peers to whom nothing is granted end here: 4.01 for who has proved nothing, else 4.03.
  Handler Wrap(Handler next);

  // The answer to a request with an event that its peer may not write: 4.03.
  std::optional<Response> Refuse(const Request& request, std::span<const Event> events);

 private:
  Access(const AccessOptions& options, RefusalLog* refusals, std::shared_ptr<spdlog::logger> log)
      : options_(options), refusals_(refusals), log_(std::move(log)), file_(options.file) {}
  Status Load();
  const std::vector<AccessList::Grant>& GrantsOf(const Request& request);
  void Log(const Request& request, std::string_view why);

  const AccessOptions options_;
  RefusalLog* refusals_;
  std::shared_ptr<spdlog::logger> log_;
  WatchedFile file_;
  AccessList list_;
  std::int64_t looked_ns_ = 0;
  std::vector<AccessList::Grant> grants_;  // of the request at hand
};

}  // namespace collector
