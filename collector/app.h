// The composition root: builds every object, wires the chain, runs the loop, drains.
#pragma once

#include <spdlog/logger.h>

#include <memory>

#include "collector/base/metrics.h"
#include "collector/base/notify.h"
#include "collector/base/poller.h"
#include "collector/base/result.h"
#include "collector/base/service_state.h"
#include "collector/coap/endpoint.h"
#include "collector/config.h"
#include "collector/handlers/events.h"
#include "collector/http/admin_server.h"
#include "collector/http/http_client.h"
#include "collector/http/page.h"
#include "collector/middleware/access_log.h"
#include "collector/middleware/body_assembly.h"
#include "collector/middleware/request_sampler.h"
#include "collector/store/elasticsearch/request_metrics.h"
#include "collector/store/store.h"

namespace collector {

// Those of one process.
struct AppSockets {
  SocketSet coap;
  SocketSet coaps;  // none: there are no keys
};

class App {
 public:
  // The sockets of each process; called before anything else is created.
  static Result<std::vector<AppSockets>> Bind(const Config& config);

  // A descriptor that reads SIGINT and SIGTERM. Called before any thread is started, because a
  // signal goes to whichever thread does not block it.
  static UniqueFd TakeSignals();

  // Opens the store, takes the sockets.
  static Result<std::unique_ptr<App>> Create(const Config& config, AppSockets sockets,
                                             UniqueFd signals, std::shared_ptr<spdlog::logger> log);
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  // Serves until SIGINT or SIGTERM, drains, returns the exit status. A second signal ends the
  // process at once. `notifier` is told of it all.
  int Run(Notifier notifier);

 private:
  App(const Config& config, UniqueFd signals, std::shared_ptr<spdlog::logger> log);
  Status Build(AppSockets sockets);
  Status OpenStore();
  Status OpenElasticsearch();
  Status ReadHttpToken();
  Status OpenCoap(AppSockets sockets);
  Handler BuildChain();
  void TellLimits();
  void OnSignal();
  [[nodiscard]] int TurnMs() const;
  void Turn();
  [[nodiscard]] bool Drained() const;
  void CountExchanges();

  const Config config_;
  const std::shared_ptr<spdlog::logger> log_;
  const Instant started_ = ReadClock();
  RefusalLog refusals_{log_};
  Metrics metrics_;
  ServiceState state_;
  Notifier notifier_;
  std::optional<AccessToken> http_token_;
  bool stopping_ = false;

  // In the order they are built; each uses only what is above it.
  UniqueFd signals_;
  std::unique_ptr<Poller> poller_;
  std::unique_ptr<HttpClient> http_client_;  // the store's, if it needs one
  std::unique_ptr<Store> store_;
  std::unique_ptr<RequestSampler> request_sampler_;  // these two only if request metrics are wanted
  std::unique_ptr<RequestMetrics> request_metrics_;
  std::unique_ptr<Access> access_;  // none: everybody may write everything
  std::unique_ptr<EventsHandler> events_;
  std::unique_ptr<BodyAssembly> bodies_;
  std::unique_ptr<AccessLog> access_log_;
  std::unique_ptr<CoapEndpoint> endpoint_;
  std::unique_ptr<CoapEndpoint> secure_endpoint_;  // CoAPs; none: there are no keys
  std::unique_ptr<Page> page_;                     // none: it is not wanted
  std::unique_ptr<AdminServer> admin_;
};

}  // namespace collector
