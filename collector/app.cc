#include "collector/app.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "collector/base/log.h"
#include "collector/base/random.h"
#include "collector/handlers/health.h"
#include "collector/handlers/well_known_core.h"
#include "collector/http/curl_http_client.h"
#include "collector/http/perform.h"
#include "collector/middleware/content_format.h"
#include "collector/middleware/critical_options.h"
#include "collector/middleware/default_headers.h"
#include "collector/middleware/rate_limit.h"
#include "collector/middleware/router.h"
#include "collector/store/elasticsearch/elasticsearch_store.h"
#include "collector/store/elasticsearch/engine_check.h"
#include "collector/store/sqlite/sqlite_store.h"

namespace collector {
namespace {

constexpr int kTurnMsMax = 1'000;                    // the loop goes round at least this often
constexpr std::size_t kDatagramOverheadBytes = 512;  // header, token and options beside a payload
constexpr std::size_t kBlockBytesMax = 1'024;        // of a body, whatever a whole payload may have
constexpr int kEngineRetryMs = 500;                  // at the start
// Exchanges kept beyond the events' limit, so that /health answers when that is reached.
constexpr std::size_t kExchangesForOthers = 64;

std::string StorePlace(const Config& config) {
  if (config.store == "sqlite") return config.sqlite_path;
  return config.elasticsearch.urls.front() + "/" + config.elasticsearch.stream;
}

// With a poller of its own, because the loop does not go round yet. A signal ends the wait.
Result<EngineFound> WaitForEngine(const ElasticsearchOptions& options, int signals) {
  auto poller = Poller::Create();
  if (!poller.ok()) return poller.error();
  auto client = CurlHttpClient::Create(options.http, poller.value().get());
  if (!client.ok()) return client.error();
  const std::int64_t until_ns =
      ReadClock().monotonic_ns + options.start_timeout_seconds * kNsPerSecond;
  const auto exchange = [&client, &poller](HttpRequest request) {
    return Perform(client.value().get(), poller.value().get(), std::move(request));
  };
  const auto wait = [signals, until_ns] {
    pollfd signalled{.fd = signals, .events = POLLIN, .revents = 0};
    return poll(&signalled, 1, kEngineRetryMs) == 0 && ReadClock().monotonic_ns < until_ns;
  };
  return FindEngine(options, exchange, wait);
}

}  // namespace

UniqueFd App::TakeSignals() {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGINT);
  sigaddset(&mask, SIGTERM);
  CHECK(pthread_sigmask(SIG_BLOCK, &mask, nullptr) == 0);
  UniqueFd signals(signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC));
  CHECK(signals.get() >= 0);
  return signals;
}

Result<std::vector<AppSockets>> App::Bind(const Config& config) {
  const BindOptions coap = {.listen = config.coap_listen,
                            .receive_buffer_bytes = static_cast<int>(config.receive_buffer_bytes),
                            .sets = static_cast<std::size_t>(config.processes)};
  BindOptions coaps = coap;
  coaps.listen = config.coaps_listen;
  coaps.name = "coaps";
  auto plain = BindSockets(coap);
  if (!plain.ok()) return plain.error();
  auto secure = BindSockets(coaps);
  if (!secure.ok()) return secure.error();
  std::vector<AppSockets> sockets(coap.sets);
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    sockets[i] = {std::move(plain.value()[i]), std::move(secure.value()[i])};
  }
  return sockets;
}

Result<std::unique_ptr<App>> App::Create(const Config& config, AppSockets sockets, UniqueFd signals,
                                         std::shared_ptr<spdlog::logger> log) {
  std::unique_ptr<App> app(new App(config, std::move(signals), std::move(log)));
  if (Status built = app->Build(std::move(sockets)); !built.ok()) return built.error();
  return app;
}

App::App(const Config& config, UniqueFd signals, std::shared_ptr<spdlog::logger> log)
    : config_(config), log_(std::move(log)), signals_(std::move(signals)) {}

Status App::Build(AppSockets sockets) {
  if (Status read = ReadHttpToken(); !read.ok()) return read;
  auto poller = Poller::Create();
  if (!poller.ok()) return poller.error();
  poller_ = std::move(poller).value();
  Status watched = poller_->Watch(signals_.get(), [this] { OnSignal(); });
  if (!watched.ok()) return watched;

  if (Status opened = OpenStore(); !opened.ok()) return opened;
  state_.store_name = store_->name();

  if (!config_.access_file.empty()) {
    auto access = Access::Create(
        {.file = config_.access_file, .addresses_proven = config_.require_echo}, &refusals_, log_);
    if (!access.ok()) return access.error();
    access_ = std::move(access).value();
  }
  // A body in blocks may be at least as large as one that needs none.
  const std::size_t body_bytes_max = std::max(config_.payload_bytes_max, config_.body_bytes_max);
  events_ = std::make_unique<EventsHandler>(
      EventsOptions{.pending_events_max = config_.pending_events_max,
                    .pending_bytes_max = config_.pending_bytes_max,
                    .payload_bytes_max = body_bytes_max,
                    .seed = RandomSeed(),
                    .access = access_.get()},
      store_.get(), &metrics_);
  bodies_ = std::make_unique<BodyAssembly>(
      BodyAssemblyOptions{.body_bytes_max = body_bytes_max, .bodies_max = config_.bodies_max},
      &metrics_);
  access_log_ = std::make_unique<AccessLog>(log_, &metrics_, config_.log_requests_per_second_max);

  if (Status opened = OpenCoap(std::move(sockets)); !opened.ok()) return opened;
  TellLimits();

  if (config_.page) {
    PageOptions page = config_.page_limits;
    if (config_.store == "sqlite") page.sqlite_path = config_.sqlite_path;
    page_ = Page::Create(page, &state_, &metrics_, log_);
  }
  auto admin = AdminServer::Create({.listen = config_.http_listen, .token = http_token_}, &state_,
                                   &metrics_, page_.get(), &refusals_);
  if (!admin.ok()) return admin.error();
  admin_ = std::move(admin).value();
  return Ok{};
}

Status App::ReadHttpToken() {
  const std::string& file = config_.http_token_file;
  if (file.empty() && config_.http_token.empty()) return Ok{};
  auto token = file.empty() ? AccessToken::Create(config_.http_token) : AccessToken::FromFile(file);
  if (!token.ok()) {
    const std::string source =
        file.empty() ? "COLLECTOR_HTTP_TOKEN" : "--http-token-file '" + file + "'";
    return Error{ErrorCode::kConfig, source + ": " + token.error().message};
  }
  http_token_ = token.value();
  return Ok{};
}

Status App::OpenCoap(AppSockets sockets) {
  EndpointOptions options;
  options.datagram_bytes_max =
      std::max(config_.payload_bytes_max, kBlockBytesMax) + kDatagramOverheadBytes;
  options.message_layer = {
      .exchanges_pending_max = config_.pending_events_max + kExchangesForOthers,
      .exchanges_remembered_max = config_.dedup_entries_max,
      .payload_bytes_max = config_.payload_bytes_max,
      .require_echo = config_.require_echo,
      .seed = RandomSeed()};
  const Handler chain = BuildChain();
  auto endpoint =
      CoapEndpoint::Create(options, std::move(sockets.coap), chain, poller_.get(), &metrics_, log_);
  if (!endpoint.ok()) return endpoint.error();
  endpoint_ = std::move(endpoint).value();
  state_.coap_addresses = endpoint_->Addresses();
  if (sockets.coaps.empty()) return Ok{};
  options.message_layer.seed = RandomSeed();
  options.dtls = config_.dtls;
  options.dtls->seed = RandomSeed();
  options.dtls->refusals = &refusals_;
  auto secure = CoapEndpoint::Create(options, std::move(sockets.coaps), chain, poller_.get(),
                                     &metrics_, log_);
  if (!secure.ok()) return secure.error();
  secure_endpoint_ = std::move(secure).value();
  return Ok{};
}

// What does not change, for those who compare with it.
void App::TellLimits() {
  auto& fixed = metrics_.fixed;
  fixed.pending_events.Set(config_.pending_events_max);
  fixed.pending_bytes.Set(config_.pending_bytes_max);
  fixed.bodies.Set(config_.bodies_max);
  fixed.exchanges_remembered.Set(config_.dedup_entries_max);
  fixed.receive_buffer_bytes.Set(static_cast<std::uint64_t>(endpoint_->receive_buffer_bytes()));
  fixed.requests_per_second_per_peer.Set(config_.requests_per_second_per_peer_max);
  if (config_.store == "elasticsearch") {
    fixed.elasticsearch_requests_in_flight.Set(
        static_cast<std::uint64_t>(config_.elasticsearch.requests_in_flight_max));
  }
  fixed.started_wall_ns.Set(static_cast<std::uint64_t>(started_.wall_ns));
}

Status App::OpenStore() {
  if (config_.store == "elasticsearch") return OpenElasticsearch();
  auto store = SqliteStore::Create(
      {.path = config_.sqlite_path, .batch_events_max = config_.batch_events_max}, poller_.get(),
      &metrics_, log_);
  if (!store.ok()) return store.error();
  store_ = std::move(store).value();
  return Ok{};
}

Status App::OpenElasticsearch() {
  auto found = WaitForEngine(config_.elasticsearch, signals_.get());
  if (!found.ok()) return found.error();
  log_->info("{} at {}{}", found.value().name, found.value().url, Action("engine-found"));
  for (const std::string& warning : found.value().warnings)
    log_->warn("{}{}", warning, Action("engine-warning"));
  HttpClientOptions http = config_.elasticsearch.http;
  // No request of the events waits for a connection, because the request metrics have one.
  http.connections_max =
      std::max(http.connections_max, config_.elasticsearch.requests_in_flight_max + 1);
  auto client = CurlHttpClient::Create(http, poller_.get());
  if (!client.ok()) return client.error();
  http_client_ = std::move(client).value();
  store_ = std::make_unique<ElasticsearchStore>(config_.elasticsearch, RandomSeed(),
                                                http_client_.get(), &metrics_, log_);
  if (config_.request_metrics_per_second_max == 0) return Ok{};
  request_sampler_ = std::make_unique<RequestSampler>(
      static_cast<std::size_t>(config_.request_metrics_per_second_max), RandomSeed());
  request_metrics_ =
      std::make_unique<RequestMetrics>(config_.elasticsearch.urls, config_.replica,
                                       request_sampler_.get(), http_client_.get(), &metrics_, log_);
  return Ok{};
}

Handler App::BuildChain() {
  Handler events = bodies_->Wrap(
      [this](const Request& request, Reply reply) { events_->Post(request, std::move(reply)); });
  if (access_) events = access_->Wrap(std::move(events));
  return Chain(
      {access_log_->Wrap(), request_sampler_ ? request_sampler_->Wrap() : PassOn(),
       LimitRate({.requests_per_second_max = config_.requests_per_second_per_peer_max,
                  .seed = RandomSeed()},
                 &metrics_),
       CheckCriticalOptions(), CheckContentFormat({.required = config_.content_format_required}),
       DefaultHeaders()},
      Router({{Code::kPost, "/events", std::move(events)},
              {Code::kGet, "/health", HealthHandler(&state_)},
              {Code::kGet, "/.well-known/core", WellKnownCoreHandler()}}));
}

void App::OnSignal() {
  signalfd_siginfo info{};
  while (read(signals_.get(), &info, sizeof(info)) == sizeof(info)) {
    const char* name = info.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM";
    // Where there is a supervisor the second signal is its affair, and the first may come from it
    // and from whoever else stops a whole group of processes.
    if (stopping_ && config_.processes > 1) continue;
    if (stopping_) {
      log_->warn("{} again: ending at once, {} events unanswered{}", name, events_->pending(),
                 Action("killed"));
      log_->flush();
      _exit(128 + static_cast<int>(info.ssi_signo));
    }
    log_->info("{}: taking no more events, committing {} that are pending{}", name,
               events_->pending(), Action("draining"));
    stopping_ = true;
    state_.phase = ServiceState::Phase::kDraining;
    notifier_.Stopping();
    events_->StopTaking();
  }
}

int App::Run(Notifier notifier) {
  state_.last_turn_ns = ReadClock().monotonic_ns;
  state_.phase = ServiceState::Phase::kServing;
  log_->info("coap-collector {}, store {} at {}, receive buffer {} KiB{}", COLLECTOR_VERSION,
             store_->name(), StorePlace(config_), endpoint_->receive_buffer_bytes() / 1024,
             Action("starting"));
  if (!http_token_ && !config_.http_listen.IsLoopback()) {
    log_->warn(
        "HTTP at {} is open to all who reach it, page and metrics too; --http-token-file makes it "
        "ask for a token{}",
        admin_->Address(), Action("http-open"));
  }
  // At every level: whoever starts this process with port 0 reads the ports from here.
  const auto always = log_->clone(log_->name());
  always->set_level(spdlog::level::info);
  const std::string listening =
      fmt::format("listening coap={} http={}{}", endpoint_->Addresses(), admin_->Address(),
                  secure_endpoint_ ? " coaps=" + secure_endpoint_->Addresses() : std::string());
  always->info("{}{}", listening, Action("listening"));
  notifier_ = std::move(notifier);
  if (Status told = notifier_.Ready(listening); !told.ok()) log_->warn(told.error().message);
  std::int64_t drain_until_ns = 0;
  // One turn: wait, take what came in (datagrams, commits), start the next commit, send the
  // answers of the turn. In this order nothing that is ready waits for another turn.
  while (!stopping_ || !Drained()) {
    Turn();
    if (!stopping_) continue;
    const std::int64_t now_ns = ReadClock().monotonic_ns;
    if (drain_until_ns == 0) drain_until_ns = now_ns + config_.drain_timeout_seconds * kNsPerSecond;
    if (now_ns > drain_until_ns) {
      log_->error("the store did not commit {} events within {} s; they were not answered 2.01{}",
                  events_->pending(), config_.drain_timeout_seconds, Action("drain-failed"));
      log_->flush();
      _exit(1);
    }
  }
  log_->info("drained: {} events stored, {} were already there, all answered{}",
             metrics_.events.stored.Get(), metrics_.events.duplicate.Get(), Action("drained"));
  return 0;
}

// How long the loop may sleep: until the first of its parts wants to be woken.
int App::TurnMs() const {
  std::int64_t due_ns = std::min({store_->due_ns(), endpoint_->due_ns(), notifier_.due_ns()});
  if (secure_endpoint_) due_ns = std::min(due_ns, secure_endpoint_->due_ns());
  if (request_metrics_) due_ns = std::min(due_ns, request_metrics_->due_ns());
  const std::int64_t wait_ns = due_ns - ReadClock().monotonic_ns;
  if (due_ns == kNever || wait_ns > kTurnMsMax * kNsPerMs) return kTurnMsMax;
  return static_cast<int>(std::max<std::int64_t>(wait_ns + kNsPerMs - 1, 0) / kNsPerMs);
}

void App::Turn() {
  poller_->Wait(TurnMs());
  const Instant now = ReadClock();
  store_->Tick(now);
  events_->Tick(now);
  if (access_) access_->Tick(now.monotonic_ns);
  endpoint_->SetTime(now);
  if (secure_endpoint_) secure_endpoint_->SetTime(now);
  if (request_sampler_) request_sampler_->SetTime(now);
  poller_->Dispatch();
  store_->Flush();
  endpoint_->Flush();
  if (secure_endpoint_) secure_endpoint_->Flush();
  CountExchanges();
  access_log_->Tick(now.monotonic_ns);
  refusals_.Tick(now.monotonic_ns);
  notifier_.Tick(now.monotonic_ns);
  const bool store_fails = store_->health() == StoreHealth::kFailing;
  if (request_metrics_) request_metrics_->Tick(now.monotonic_ns, store_fails);
  state_.last_turn_ns.store(now.monotonic_ns, std::memory_order_relaxed);
  state_.store_failing.store(store_fails, std::memory_order_relaxed);
}

bool App::Drained() const {
  return events_->pending() == 0 && endpoint_->pending() == 0 &&
         (!secure_endpoint_ || secure_endpoint_->pending() == 0);
}

void App::CountExchanges() {
  std::size_t pending = endpoint_->pending();
  std::size_t remembered = endpoint_->remembered();
  if (secure_endpoint_) {
    pending += secure_endpoint_->pending();
    remembered += secure_endpoint_->remembered();
  }
  metrics_.coap.exchanges_pending.Set(pending);
  metrics_.coap.exchanges_remembered.Set(remembered);
}

}  // namespace collector
