// HTTP for probes and Prometheus (/health, /livez, /readyz, /metrics), and for people (the page).
// Threads of their own and of a lower priority: whatever they do, CoAP is not delayed.
#pragma once

#include <memory>
#include <string>

#include "collector/base/metrics.h"
#include "collector/base/result.h"
#include "collector/base/service_state.h"
#include "collector/base/socket_address.h"
#include "collector/http/page.h"

namespace collector {

class AdminServer {
 public:
  // Binds (port 0: a free one) and starts serving. All of them outlive it; `page` may be null.
  static Result<std::unique_ptr<AdminServer>> Create(const SocketAddress& listen,
                                                     const ServiceState* state,
                                                     const Metrics* metrics, Page* page);
  ~AdminServer();  // stops serving

  [[nodiscard]] std::string Address() const;  // "127.0.0.1:8080", with the port that was bound

 private:
  struct Impl;
  explicit AdminServer(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace collector
