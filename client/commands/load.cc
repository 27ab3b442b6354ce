#include "client/commands/load.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <utility>

#include "client/commands/checks.h"
#include "client/exit_status.h"
#include "client/interrupt.h"
#include "client/load/devices.h"
#include "client/load/dtls_devices.h"
#include "client/load/report.h"
#include "client/load/run.h"
#include "client/load/verify.h"
#include "client/sender.h"
#include "client/value.h"
#include "collector/base/random.h"
#include "event/event_json.h"

namespace collector::client {
namespace {

constexpr double kDurationDefaultS = 10;

constexpr const char* kDescription =
    "Send as many simulated devices would, and measure\n\n"
    "Examples:\n"
    "  client load --devices 1000 --duration 30\n"
    "  client load --devices 50000 --rate 20000 --duration 60 --json\n"
    "  client load --events 100000 --loss 20 --until-stored --verify --sqlite data/events.db\n"
    "  client load -o probe -f 1.1 --max 40 temperature 15\n\n"
    "Closed loop: --window events are in flight, and each answer makes room for the next. Open\n"
    "loop: with --rate so many events are due a second, and an event's latency counts from when\n"
    "it was due, however late it could be sent. Devices retransmit as RFC 7252 says. Toward this\n"
    "machine (127.0.0.0/8) each device has an address of its own, else a port of its own. Their\n"
    "origins are d000000, d000001... (with -o probe: probe-000000...), their sender is load.\n"
    "--verify then reads the store and proves that each acknowledged event is in it once.\n";
constexpr const char* kFooter =
    "Exit status, the highest that applies:\n"
    "  0  every event is stored\n"
    "  1  could not begin: no such host, no store to verify\n"
    "  2  wrong usage; nothing was sent\n"
    "  3, 4, 5  some events were refused, unavailable, unanswered\n"
    "  6  --verify: the store does not hold what was acknowledged, or could not be read\n"
    "The result goes to standard output, everything else to standard error.";

std::int64_t Ns(double seconds) { return Seconds(seconds).count(); }

EventShape ShapeOf(const Settings& settings, const LoadCommand& command,
                   std::vector<std::string> values) {
  EventShape shape{.name_space = settings.name_space,
                   .sender = settings.sender.value_or("load"),
                   .type = command.type,
                   .values = std::move(values)};
  if (settings.origin.has_value()) shape.origin_prefix = *settings.origin + "-";
  return shape;
}

// Draws itself over and over on standard error.
class ProgressBar {
 public:
  ProgressBar(const FleetOptions& options, bool shown) : options_(options), shown_(shown) {}
  ~ProgressBar() {
    if (drawn_) std::fputs("\r\x1b[K", stderr);
  }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void Draw(const FleetReport& report, std::size_t in_flight, std::int64_t elapsed_ns) {
    if (!shown_) return;
    const std::uint64_t stored = report.outcomes[static_cast<std::size_t>(Outcome::kStored)];
    std::uint64_t ended = 0;
    for (const std::uint64_t count : report.outcomes) ended += count;
    const double since_s = static_cast<double>(elapsed_ns - last_ns_) / 1e9;
    winsize size{};
    const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    const std::string line = ProgressLine(
        {.done = DoneOf(ended, elapsed_ns),
         .events_per_s = since_s > 0 ? static_cast<double>(stored - last_stored_) / since_s : 0,
         .sent = report.sent,
         .stored = stored,
         .failed = ended - stored,
         .in_flight = in_flight,
         .seconds = static_cast<double>(elapsed_ns) / 1e9},
        known ? size.ws_col : 80);
    std::fprintf(stderr, "\r%s\x1b[K", line.c_str());
    last_stored_ = stored;
    last_ns_ = elapsed_ns;
    drawn_ = true;
  }

 private:
  [[nodiscard]] double DoneOf(std::uint64_t ended, std::int64_t elapsed_ns) const {
    double done = -1;
    if (options_.events < kEventsMax) {
      done = static_cast<double>(ended) / static_cast<double>(options_.events);
    }
    if (options_.measure_ns != kNever) {
      done = std::max(done, static_cast<double>(elapsed_ns) /
                                static_cast<double>(options_.warmup_ns + options_.measure_ns));
    }
    return done;
  }

  const FleetOptions& options_;
  const bool shown_;
  bool drawn_ = false;
  std::uint64_t last_stored_ = 0;
  std::int64_t last_ns_ = 0;
};

Result<VerifyReport> Verify(const Fleet& fleet, StoredEvents* store) {
  Verifier verifier(fleet.record(), fleet.maker());
  const Status read = store->ReadSpan(verifier.filter(), verifier.from_ns(), verifier.to_ns(),
                                      [&verifier](StoredEvent&& stored) { verifier.Take(stored); });
  if (!read.ok()) return read.error();
  return verifier.Finish();
}

}  // namespace

Result<std::vector<std::string>> ValuesOf(const LoadCommand& command) {
  if (command.value.empty() && !command.is_series) return Readings();
  const auto first = ParseValue(command.value);
  if (!first.ok()) return first.error();
  std::vector<std::string> values;
  if (!command.is_series) {
    AppendJson(first.value(), &values.emplace_back());
    return values;
  }
  if (!first.value().is_number()) {
    return Error{ErrorCode::kInvalid, "--factor, --min and --max need a number to begin with"};
  }
  IncrementalCommand series = command.series;
  if (series.min > series.max) return Error{ErrorCode::kInvalid, "--min is above --max"};
  series.initial_value = first.value().get<double>();
  IncrementalValues next(series);
  while (values.size() < kValuesMax) AppendJson(next.Next(), &values.emplace_back());
  return values;
}

FleetOptions FleetOptionsOf(const LoadCommand& command, const Settings& settings,
                            std::uint64_t seed) {
  FleetOptions options;
  options.devices = command.devices;
  options.rate = command.rate;
  options.window = command.window > 0 ? command.window
                   : command.rate > 0 ? kWindowMax
                                      : std::min(command.devices, kWindowMax);
  if (command.events > 0) options.events = command.events;
  const bool bounded = command.duration_s > 0 || command.events == 0;
  const double duration_s = command.duration_s > 0 ? command.duration_s : kDurationDefaultS;
  options.measure_ns = bounded ? Ns(duration_s) : kNever;
  options.warmup_ns = Ns(command.warmup_s);
  options.drain_ns = command.drain_s > 0 ? Ns(command.drain_s) : kNever;
  options.ack_timeout_ns = Ns(command.ack_timeout_s);
  options.retransmissions = command.retransmissions;
  options.answer_timeout_ns = std::chrono::nanoseconds(settings.timeout).count();
  options.confirmable = !command.non_confirmable;
  options.until_stored = command.until_stored;
  options.loss = command.loss_percent / 100;
  options.clock_skew_ms = command.clock_skew_ms;
  options.keep_record = command.verify;
  options.seed = seed;
  return options;
}

int LoadCommand::operator()(const Settings& settings) const {
  auto values = ValuesOf(*this);
  if (!values.ok()) return Fail(values.error().message, kExitUsage);
  auto maker = RequestMaker::Create(ShapeOf(settings, *this, std::move(values).value()));
  if (!maker.ok()) return Fail(maker.error().message, kExitUsage);
  std::unique_ptr<StoredEvents> stored;
  if (verify) {  // known before anything is sent
    auto opened = OpenStore(store);
    if (!opened.ok()) return Fail(opened.error().message, kExitFailed);
    stored = std::move(opened).value();
  }
  auto sockets = OpenDevices(
      {.host = settings.host, .port = settings.port, .devices = devices, .sources = sources});
  if (!sockets.ok()) return Fail(sockets.error().message, kExitFailed);

  LoadReport report{.options = FleetOptionsOf(*this, settings, RandomSeed())};
  std::unique_ptr<Devices> network = std::move(sockets).value();
  if (settings.tls) {
    auto sessions =
        std::make_unique<DtlsDevices>(std::move(network), settings.tls, settings.host, devices);
    auto connected = sessions->Connect(&Interrupted);
    if (!connected.ok()) return Fail(connected.error().message, kExitFailed);
    report.handshakes = connected.value();
    network = std::move(sessions);
  }
  Fleet fleet(report.options, std::move(maker).value(), network.get());
  {
    ProgressBar bar(report.options, settings.terminal.overwrites);
    report.cost = RunLoad(&fleet, network.get(), [&bar](const Fleet& of, std::int64_t elapsed_ns) {
      bar.Draw(of.report(), of.in_flight(), elapsed_ns);
      return !Interrupted();
    });
  }
  report.fleet = fleet.report();
  report.send_errors = network->send_errors();
  report.drops = network->drops();
  int status = TallyOf(report.fleet).ExitStatus();
  if (verify) {
    auto verified = Verify(fleet, stored.get());
    if (verified.ok()) report.verify = std::move(verified).value();
    if (!verified.ok()) Tell("not verified: " + verified.error().message);
    if (!verified.ok() || !report.verify->proven()) status = kExitUnproven;
  }
  if (json) {
    std::printf("%s\n", LoadJson(report).dump().c_str());
  } else {
    std::fputs(LoadText(report).c_str(), stdout);
    if (report.verify) std::fputs(VerifyText(*report.verify, stored->name()).c_str(), stdout);
  }
  return status;
}

namespace {

void AddPace(CLI::App* command, LoadCommand* load) {
  command->add_option("--devices", load->devices, "How many")
      ->check(CLI::Range(1U, kDevicesMax).description(""))
      ->capture_default_str();
  command
      ->add_option("--window", load->window,
                   "Events in flight at most; default: one a device, with --rate 65536")
      ->check(CLI::Range(1U, kWindowMax).description(""));
  command->add_option("--rate", load->rate, "Events due a second; default: as many as it takes")
      ->check(CheckPositive);
  command
      ->add_option("--duration", load->duration_s,
                   "Seconds of sending; default: 10, with --events as long as they take")
      ->check(CheckPositive);
  command->add_option("-n,--events", load->events, "Send so many")
      ->check(CLI::Range(std::uint64_t{1}, kEventsMax).description(""));
  command->add_option("--warmup", load->warmup_s, "Seconds of sending before it is measured")
      ->check(CheckPace)
      ->capture_default_str();
  command
      ->add_option("--drain", load->drain_s,
                   "Seconds to wait for the last answers; default: as long as devices would")
      ->check(CheckPositive);
}

void AddDevices(CLI::App* command, LoadCommand* load) {
  command->add_flag("--non", load->non_confirmable,
                    "Non-confirmable requests: each is sent once, and waits for --timeout");
  command->add_flag("--until-stored", load->until_stored,
                    "A device sends an event again until it is stored or refused (4.xx)");
  command
      ->add_option("--ack-timeout", load->ack_timeout_s,
                   "Seconds to the first retransmission (times 1 to 1.5), then doubled")
      ->check(CheckPositive)
      ->capture_default_str();
  command->add_option("--max-retransmit", load->retransmissions, "Retransmissions of a request")
      ->check(CLI::Range(0U, 20U).description(""))
      ->capture_default_str();
  command->add_option("--loss", load->loss_percent, "Percent of datagrams to lose, each way")
      ->check(CLI::Range(0.0, 99.0).description(""))
      ->capture_default_str();
  command
      ->add_option("--clock-skew-ms", load->clock_skew_ms, "How wrong a device's clock is at most")
      ->check(CLI::Range(std::int64_t{0}, kClockSkewMsMax).description(""))
      ->capture_default_str();
  command
      ->add_option("--source", load->sources,
                   "Address of this machine to send from; several: devices take turns")
      ->type_size(1)
      ->allow_extra_args(false);
}

void AddEvents(CLI::App* command, LoadCommand* load) {
  command->add_option("type", load->type, "What the value is")->capture_default_str();
  command->add_option("value", load->value, "As send takes it; default: readings, 10.0 to 99.9")
      ->transform(Unshield)
      ->check(CheckValue);
  for (CLI::Option* of_series :
       {command
            ->add_option("-f,--factor", load->series.factor,
                         "Multiply the value each time, as incremental does")
            ->check(CheckPositive),
        command->add_option("--max", load->series.max, "The value's upper bound")
            ->check(CheckFinite),
        command->add_option("--min", load->series.min, "The value's lower bound")
            ->check(CheckFinite)}) {
    of_series->each([load](const std::string&) { load->is_series = true; });
  }
}

}  // namespace

CommandSpec AddLoad(CLI::App* app, const Environment& environment) {
  const auto load = std::make_shared<LoadCommand>();
  CLI::App* command = app->add_subcommand("load", kDescription);
  AddPace(command, load.get());
  AddDevices(command, load.get());
  AddEvents(command, load.get());
  command->add_flag("--json", load->json, "The result as one JSON object");
  command->add_flag("--verify", load->verify, "Then read the store, and prove what was promised");
  AddStoreOptions(command, environment, &load->store);
  command->footer(kFooter);
  return {.app = command, .make = [load]() -> Result<Run> {
            if (auto values = ValuesOf(*load); !values.ok()) return values.error();
            return Run(*load);
          }};
}

}  // namespace collector::client
