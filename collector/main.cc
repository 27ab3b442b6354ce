// The collector: reads its configuration, composes the application, runs it; or sets an engine up.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "collector/app.h"
#include "collector/config.h"
#include "collector/setup.h"

namespace {

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
  const auto done = collector::RunSetup(invocation.config.elasticsearch, *invocation.setup);
  if (!done.ok()) return Fail(done.error());
  return done.value() ? 0 : kExitRefused;
}

}  // namespace

int main(int argc, char** argv) {
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
  collector::UniqueFd signals = collector::App::TakeSignals();
  auto log = collector::CreateLog(config.log_format, config.log_level);
  auto app = collector::App::Create(config, std::move(signals), log);
  if (!app.ok()) {
    collector::FlushLog();
    return Fail(app.error());
  }
  const int status = app.value()->Run();
  collector::FlushLog();
  return status;
}
