// HTTP for probes and Prometheus: /health, /livez, /readyz, /metrics. A thread of its own, that
// only reads atomics: whatever it does, CoAP is not delayed.
#pragma once

#include <memory>
#include <string>

#include "collector/base/metrics.h"
#include "collector/base/result.h"
#include "collector/base/service_state.h"
#include "collector/base/socket_address.h"

namespace collector {

class AdminServer {
 public:
  // Binds (port 0: a free one) and starts serving. `state` and `metrics` outlive it.
  static Result<std::unique_ptr<AdminServer>> Create(const SocketAddress& listen,
                                                     const ServiceState* state,
                                                     const Metrics* metrics);
  ~AdminServer();  // stops serving

  [[nodiscard]] std::string Address() const;  // "127.0.0.1:8080", with the port that was bound

 private:
  struct Impl;
  explicit AdminServer(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace collector
