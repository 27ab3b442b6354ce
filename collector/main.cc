// The collector: reads its configuration, composes the application, runs it.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "collector/app.h"
#include "collector/config.h"

namespace {

// sysexits.h
constexpr int kExitUnavailable = 69;
constexpr int kExitConfig = 78;

int ExitStatus(const collector::Error& error) {
  return error.code == collector::ErrorCode::kConfig ? kExitConfig : kExitUnavailable;
}

int Fail(const collector::Error& error) {
  std::fprintf(stderr, "collector: %s\n", error.message.c_str());
  return ExitStatus(error);
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
