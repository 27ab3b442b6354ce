#include "client/commands/healthcheck.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <optional>

#include "client/coap_client.h"
#include "client/exit_status.h"
#include "client/interrupt.h"
#include "client/sender.h"
#include "client/value.h"

namespace collector::client {
namespace {

constexpr std::chrono::seconds kHealthTimeout{5};

std::string WhyUnanswered(const Answer& answer, const std::string& peer) {
  switch (answer.kind) {
    case Answer::Kind::kUnreachable:
      return "no collector at " + peer + " (connection refused)";
    case Answer::Kind::kRefused:
      return RefusedText(peer, answer);
    case Answer::Kind::kReset:
      return peer + " rejected the message (CoAP reset)";
    default:
      return "no answer from " + peer + " within 5 s";
  }
}

int RunHealthcheck(const Settings& settings) {
  // Names are resolved by the system, which may take longer than a health check can.
  ExitAfter(kHealthTimeout.count() + 1, kExitFailed,
            "client: the host's name was not resolved in 6 s\n");
  std::optional<Answer> ended;
  auto client = CoapClient::Create(
      {.host = settings.host,
       .port = settings.port,
       .tls = settings.tls,
       .timeout = kHealthTimeout},
      [&ended](const Request& /*request*/, const Answer& answer) { ended = answer; });
  if (!client.ok()) return Fail(client.error().message, kExitFailed);
  CoapClient& coap = *client.value();
  if (Status sent = coap.Send({Method::kGet, "health", ""}); !sent.ok()) {
    return Fail(sent.error().message, kExitFailed);
  }
  while (!ended.has_value() && !Interrupted()) coap.Process(std::chrono::milliseconds(200));
  if (!ended.has_value()) return Fail("interrupted", kExitFailed);
  if (ended->kind != Answer::Kind::kResponse) {
    return Fail(WhyUnanswered(*ended, coap.peer()), kExitFailed);
  }
  if (!settings.silent) {
    std::printf("GET: /health > %s\n%s\n", CodeText(*ended).c_str(),
                Printable(ended->payload).c_str());
  }
  return ended->code_class == 2 ? kExitOk : kExitFailed;
}

}  // namespace

CommandSpec AddHealthcheck(CLI::App* app, const Environment& /*environment*/) {
  CLI::App* command =
      app->add_subcommand("healthcheck",
                          "Ask the collector whether it is well\n\n"
                          "Examples:\n"
                          "  client healthcheck\n"
                          "  client -H collector.example -S healthcheck && echo well\n");
  command->footer("Exit status: 0 well, 1 not well or no answer within 5 s, 2 wrong usage.");
  return {.app = command, .make = []() -> Result<Run> { return Run(RunHealthcheck); }};
}

}  // namespace collector::client
