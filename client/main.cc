// The command-line client: sends events to a collector and shows its answers.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "client/cli.h"
#include "client/exit_status.h"
#include "client/interrupt.h"
#include "client/sender.h"

namespace {

const char* OrEmpty(const char* text) { return text == nullptr ? "" : text; }

// See no-color.org; TERM=dumb is a terminal that can neither colour nor overwrite.
collector::client::Terminal TerminalHere(const collector::client::Settings& settings) {
  const bool able = std::string_view(OrEmpty(std::getenv("TERM"))) != "dumb";
  const bool answers_shown = isatty(STDOUT_FILENO) != 0 && !settings.silent;
  const bool overwrites = able && isatty(STDERR_FILENO) != 0;
  return {.colors = able && isatty(STDOUT_FILENO) != 0 && *OrEmpty(std::getenv("NO_COLOR")) == 0,
          .live = overwrites && !answers_shown,
          .overwrites = overwrites};
}

}  // namespace

int main(int argc, char** argv) {
  namespace client = collector::client;
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  auto parsed = client::ParseCommandLine(
      arguments, [](const char* name) -> const char* { return std::getenv(name); });
  if (!parsed.ok()) return client::Fail(parsed.error().message, client::kExitUsage);
  client::Invocation& invocation = parsed.value();
  if (!invocation.print.empty()) {
    std::fputs(invocation.print.c_str(), stdout);
    return client::kExitOk;
  }
  client::CatchInterrupts();
  invocation.settings.terminal = TerminalHere(invocation.settings);
  return invocation.run(invocation.settings);
}
