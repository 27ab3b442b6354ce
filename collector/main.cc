// The collector: reads its configuration, composes the application, runs it; or sets an engine up.
#include <malloc.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "collector/app.h"
#include "collector/base/notify.h"
#include "collector/config.h"
#include "collector/setup.h"
#include "collector/supervisor.h"

namespace {

constexpr int kLargeBytes = 128 * 1024;

constexpr int kExitRefused = 1;  // or not as wanted
// sysexits.h
constexpr int kExitUnavailable = 69;
constexpr int kExitForbidden = 77;
constexpr int kExitConfig = 78;

int ExitStatus(const collector::Error& error) {
  switch (error.code) {
    case collector::ErrorCode::kInvalid:
      return kExitRefused;
    case collector::ErrorCode::kConfig:
      return kExitConfig;
    case collector::ErrorCode::kForbidden:
      return kExitForbidden;
    default:
      return kExitUnavailable;
  }
}

int Fail(const collector::Error& error) {
  std::fprintf(stderr, "collector: %s\n", error.message.c_str());
  return ExitStatus(error);
}

int Setup(const collector::Invocation& invocation) {
  const auto done = collector::RunSetup(invocation.config.elasticsearch, *invocation.setup,
                                        invocation.kibana_url);
  if (!done.ok()) return Fail(done.error());
  return done.value() ? 0 : kExitRefused;
}

// From SIGTERM to the process's end; the drain is bounded, and what is left is short.
collector::Notifier ServiceManager(const collector::Config& config) {
  constexpr std::int64_t kEndSeconds = 10;
  return {[](const char* name) -> const char* { return std::getenv(name); }, getpid(),
          config.drain_timeout_seconds + kEndSeconds};
}

int Serve(const collector::Config& config, collector::AppSockets sockets,
          collector::Notifier notifier) {
  collector::UniqueFd signals = collector::App::TakeSignals();
  auto log = collector::CreateLog(config.log_format, config.log_level);
  auto app = collector::App::Create(config, std::move(sockets), std::move(signals), log);
  const int status = app.ok() ? app.value()->Run(std::move(notifier)) : Fail(app.error());
  collector::FlushLog();
  return status;
}

int ServeInProcesses(const collector::Config& config, std::vector<collector::AppSockets> sets) {
  const auto serve = [&](std::size_t process) {
    collector::Config own = config;
    own.http_listen = config.http_listen.FurtherBy(process);
    own.replica += "/" + std::to_string(process);
    return Serve(own, std::move(sets[process]), {});
  };
  return collector::Supervisor(
             sets.size(), serve,
             collector::CreateLogWithoutThread(config.log_format, config.log_level))
      .Run(ServiceManager(config));
}

}  // namespace

int main(int argc, char** argv) {
  // What was large goes back to the system when it is freed. By itself glibc keeps the more, the
  // larger it was.
  mallopt(M_MMAP_THRESHOLD, kLargeBytes);
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  auto invocation = collector::ParseConfig(
      arguments, [](const char* name) -> const char* { return std::getenv(name); });
  if (!invocation.ok()) return Fail(invocation.error());
  if (invocation.value().print) {
    std::fputs(invocation.value().print->c_str(), stdout);
    return 0;
  }
  if (invocation.value().setup) return Setup(invocation.value());
  const collector::Config& config = invocation.value().config;
  auto sets = collector::App::Bind(config);
  if (!sets.ok()) return Fail(sets.error());
  if (config.processes > 1) return ServeInProcesses(config, std::move(sets).value());
  return Serve(config, std::move(sets.value().front()), ServiceManager(config));
}
