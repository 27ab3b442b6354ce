// The command-line client: sends events to a collector and shows its answers.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "client/cli.h"
#include "client/exit_status.h"
#include "client/interrupt.h"
#include "client/sender.h"

int main(int argc, char** argv) {
  namespace client = collector::client;
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  const auto invocation = client::ParseCommandLine(
      arguments, [](const char* name) -> const char* { return std::getenv(name); });
  if (!invocation.ok()) return client::Fail(invocation.error().message, client::kExitUsage);
  if (!invocation.value().print.empty()) {
    std::fputs(invocation.value().print.c_str(), stdout);
    return client::kExitOk;
  }
  client::CatchInterrupts();
  return invocation.value().run(invocation.value().settings);
}
