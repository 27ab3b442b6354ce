// HTTP for probes and Prometheus (/health, /livez, /readyz, /metrics), and for people (the page).
// Threads of their own and of a lower priority: whatever they do, CoAP is not delayed.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "collector/base/metrics.h"
#include "collector/base/refusal_log.h"
#include "collector/base/result.h"
#include "collector/base/service_state.h"
#include "collector/base/socket_address.h"
#include "collector/http/access_token.h"
#include "collector/http/page.h"

namespace collector {

struct AdminOptions {
  SocketAddress listen;  // port 0: a free one
  // All but the probes answer 401 to whoever does not give it.
  std::optional<AccessToken> token;
};

class AdminServer {
 public:
  // Binds and starts serving. All of them outlive it; `page` may be null.
  static Result<std::unique_ptr<AdminServer>> Create(const AdminOptions& options,
                                                     const ServiceState* state,
                                                     const Metrics* metrics, Page* page,
                                                     RefusalLog* refusals);
  ~AdminServer();  // stops serving

  [[nodiscard]] std::string Address() const;  // "127.0.0.1:8080", with the port that was bound

 private:
  struct Impl;
  explicit AdminServer(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace collector
