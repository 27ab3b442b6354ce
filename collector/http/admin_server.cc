#include "collector/http/admin_server.h"

#include <httplib.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstring>
#include <thread>

#include "collector/base/clock.h"
#include "collector/handlers/health.h"
#include "collector/http/metrics_text.h"

namespace collector {
namespace {

constexpr std::size_t kThreads = 4;  // beside those that the page may hold
constexpr int kNice = 10;
constexpr std::int64_t kLoopStuckNs = 10 * kNsPerSecond;
constexpr int kTimeoutSeconds = 5;
constexpr std::size_t kRequestBytesMax = 16 * 1024;

}  // namespace

struct AdminServer::Impl {
  httplib::Server server;
  Page* page = nullptr;
  std::string address;
  std::thread thread;
};

namespace {

void AddRoutes(httplib::Server* server, const ServiceState* state, const Metrics* metrics) {
  const auto health = [state](const httplib::Request&, httplib::Response& response) {
    response.status = state->Serving() ? 200 : 503;
    response.set_content(HealthJson(*state, ReadClock().wall_ns) + "\n", "application/json");
  };
  server->Get("/health", health);
  server->Get("/readyz", health);
  server->Get("/livez", [state](const httplib::Request&, httplib::Response& response) {
    const std::int64_t idle_ns = ReadClock().monotonic_ns - state->last_turn_ns.load();
    response.status = idle_ns < kLoopStuckNs ? 200 : 503;
    response.set_content(response.status == 200 ? "ok\n" : "the event loop is stuck\n",
                         "text/plain");
  });
  server->Get("/metrics", [metrics, state](const httplib::Request&, httplib::Response& response) {
    response.set_content(MetricsText(*metrics, *state, ReadClock().monotonic_ns),
                         "text/plain; version=0.0.4; charset=utf-8");
  });
}

// What an orchestrator asks, which has no token.
bool IsProbe(std::string_view path) {
  return path == "/health" || path == "/livez" || path == "/readyz";
}

// Where every request and every answer passes.
void Frame(httplib::Server* server, const std::optional<AccessToken>& token, RefusalLog* refusals) {
  server->set_default_headers(
      {{"Content-Security-Policy",
        "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"},
       {"X-Content-Type-Options", "nosniff"},
       {"Referrer-Policy", "no-referrer"}});
  if (!token) return;
  server->set_pre_routing_handler(
      [token = *token, refusals](const httplib::Request& request, httplib::Response& response) {
        const std::string given = request.get_header_value("Authorization");
        if (IsProbe(request.path) || token.IsIn(given)) {
          return httplib::Server::HandlerResponse::Unhandled;
        }
        // A browser comes without one first; only who guesses is told of.
        if (!given.empty()) {
          const bool v6 = request.remote_addr.find(':') != std::string::npos;
          const std::string host = v6 ? "[" + request.remote_addr + "]" : request.remote_addr;
          refusals->Add(host + ":" + std::to_string(request.remote_port), "http", "a wrong token",
                        ReadClock().monotonic_ns);
        }
        response.status = 401;
        // Basic, because browsers ask a person for that.
        response.set_header("WWW-Authenticate", R"(Basic realm="coap-collector", charset="UTF-8")");
        response.set_content("give the token: as a bearer token, or as the password of any user\n",
                             "text/plain");
        return httplib::Server::HandlerResponse::Handled;
      });
}

}  // namespace

AdminServer::AdminServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<AdminServer>> AdminServer::Create(const AdminOptions& options,
                                                         const ServiceState* state,
                                                         const Metrics* metrics, Page* page,
                                                         RefusalLog* refusals) {
  auto impl = std::make_unique<Impl>();
  impl->page = page;
  httplib::Server& server = impl->server;
  const std::size_t threads = kThreads + (page != nullptr ? page->threads() : 0);
  server.new_task_queue = [threads] { return new httplib::ThreadPool(threads); };
  server.set_read_timeout(kTimeoutSeconds, 0);
  server.set_write_timeout(kTimeoutSeconds, 0);
  server.set_payload_max_length(kRequestBytesMax);
  // A connection that is kept would hold a thread while it is idle, and a browser keeps six.
  server.set_keep_alive_max_count(1);
  // Not the library's SO_REUSEPORT: a port that is taken must be an error.
  server.set_socket_options([](socket_t fd) {
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  });
  Frame(&server, options.token, refusals);
  AddRoutes(&server, state, metrics);
  if (page != nullptr) page->AddRoutes(&server);

  const std::string text = options.listen.ToString();
  std::string host = text.substr(0, text.rfind(':'));
  if (host.front() == '[') host = host.substr(1, host.size() - 2);
  errno = 0;
  int port = options.listen.port();
  if (port == 0) {
    port = server.bind_to_any_port(host);
  } else if (!server.bind_to_port(host, port)) {
    port = -1;
  }
  if (port < 0) {
    const std::string why = errno != 0 ? std::strerror(errno) : "cannot bind";
    return Error{ErrorCode::kIo, "http " + text + ": " + why};
  }
  impl->address = text.substr(0, text.rfind(':')) + ":" + std::to_string(port);
  impl->thread = std::thread([&server] {
    setpriority(PRIO_PROCESS, 0, kNice);  // of this thread, on Linux; those it starts inherit it
    server.listen_after_bind();
  });
  while (!server.is_running()) std::this_thread::yield();  // it must be stoppable from now on
  return std::unique_ptr<AdminServer>(new AdminServer(std::move(impl)));
}

AdminServer::~AdminServer() {
  if (impl_->page != nullptr) impl_->page->Stop();
  impl_->server.stop();
  impl_->thread.join();
}

std::string AdminServer::Address() const { return impl_->address; }

}  // namespace collector
