#include "client/commands/watch.h"

#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

#include "client/commands/checks.h"
#include "client/exit_status.h"
#include "client/interrupt.h"
#include "client/sender.h"
#include "client/value.h"
#include "client/watch/table.h"
#include "client/watch/terminal.h"
#include "collector/base/clock.h"
#include "event/event_json.h"
#include "event/timestamp.h"

namespace collector::client {
namespace {

constexpr int kFilePauseMs = 100;
constexpr int kEnginePauseMs = 500;
constexpr std::int64_t kRedrawNs = 250'000'000;
constexpr int kTroublesMax = 20;  // one after the other; then the store is given up

std::string LineOf(const StoredEvent& stored, bool json) {
  const Event& event = stored.event;
  if (json) return EncodeEventJson(event);
  return FormatTimestamp(*event.timestamp_ns) + "  " +
         Printable(event.name_space + "/" + event.sender + "/" + event.origin + " " + event.type) +
         " " + ValueText(event);
}

// Where events go: onto the screen, or out as lines.
class Viewer {
 public:
  Viewer(bool live, bool json, std::uint64_t count, std::string source)
      : json_(json), left_(count), bounded_(count > 0), source_(std::move(source)) {
    if (live) screen_.emplace();
  }

  void Take(const StoredEvent& stored) {
    if (done()) return;
    if (bounded_) --left_;
    if (screen_.has_value()) return table_.Add(stored, ReadClock().monotonic_ns);
    std::printf("%s\n", LineOf(stored, json_).c_str());
  }

  void Refresh() {
    if (!screen_.has_value()) {
      std::fflush(stdout);
      return;
    }
    const std::int64_t now_ns = ReadClock().monotonic_ns;
    if (now_ns < next_draw_ns_) return;
    next_draw_ns_ = now_ns + kRedrawNs;
    screen_->Show(table_.Draw(trouble_.empty() ? source_ : trouble_, LiveScreen::Size(), now_ns));
  }

  void SetTrouble(const std::string& trouble) {
    if (trouble == trouble_) return;
    trouble_ = trouble;
    if (!screen_.has_value() && !trouble.empty()) Tell(trouble + "; trying on");
  }

  // The reader of a pipe may be gone.
  [[nodiscard]] bool done() const { return (bounded_ && left_ == 0) || std::ferror(stdout) != 0; }

 private:
  const bool json_;
  std::uint64_t left_;
  const bool bounded_;
  const std::string source_;
  std::string trouble_;
  std::optional<LiveScreen> screen_;
  WatchTable table_;
  std::int64_t next_draw_ns_ = 0;
};

EventFilter FilterOf(const WatchCommand& command, const Settings& settings) {
  EventFilter filter{.sender = settings.sender, .origin = settings.origin};
  if (command.name_space_given) filter.name_space = settings.name_space;
  if (!command.type.empty()) filter.type = command.type;
  return filter;
}

// An interrupt ends the wait.
void Pause(int ms) { poll(nullptr, 0, ms); }

Status Follow(StoredEvents* store, const EventFilter& filter, int pause_ms, Viewer* viewer) {
  int troubles = 0;
  while (!Interrupted() && !viewer->done()) {
    auto more = store->ReadNew(filter, [viewer](StoredEvent&& stored) { viewer->Take(stored); });
    viewer->SetTrouble(more.ok() ? "" : more.error().message);
    viewer->Refresh();
    if (!more.ok() && ++troubles == kTroublesMax) return more.error();
    if (more.ok()) troubles = 0;
    if (!more.ok() || !more.value()) Pause(pause_ms);
  }
  return Ok{};
}

}  // namespace

int WatchCommand::operator()(const Settings& settings) const {
  auto opened = OpenStore(store);
  if (!opened.ok()) return Fail(opened.error().message, kExitFailed);
  StoredEvents& events = *opened.value();
  const bool live = !json && isatty(STDOUT_FILENO) == 1;
  Status followed = Ok{};
  {
    Viewer viewer(live, json, count, events.name());
    followed = Follow(&events, FilterOf(*this, settings),
                      store.sqlite.empty() ? kEnginePauseMs : kFilePauseMs, &viewer);
  }
  return followed.ok() ? kExitOk : Fail(followed.error().message, kExitFailed);
}

CommandSpec AddWatch(CLI::App* app, const Environment& environment) {
  const auto watch = std::make_shared<WatchCommand>();
  CLI::App* command = app->add_subcommand(
      "watch",
      "Show what arrives in a collector's store\n\n"
      "Examples:\n"
      "  client watch --sqlite data/events.db\n"
      "  client watch --sqlite data/events.db -o probe1 --type temperature\n"
      "  client watch --elasticsearch-url https://es.example:9200 --json | jq .payload.value\n\n"
      "On a terminal a live table, a line a series with its last values; in a pipe a line an\n"
      "event. -o, -s, -N and --type choose what is shown. Reads only, and never makes the\n"
      "collector wait. Ctrl-C ends it. An engine shows an event a second after it is stored.\n");
  command->add_option("--type", watch->type, "Only this type, like temperature");
  command->add_flag("--json", watch->json, "Events as JSON, one a line");
  command->add_option("-n,--events", watch->count, "End after so many; 0: never")
      ->check(CheckCount)
      ->capture_default_str();
  AddStoreOptions(command, environment, &watch->store);
  command->footer(
      "Exit status: 0 after Ctrl-C or --events; 1 the store cannot be read; 2 wrong usage.");
  return {.app = command, .make = [watch, app]() -> Result<Run> {
            watch->name_space_given = app->count("--namespace") > 0;
            return Run(*watch);
          }};
}

}  // namespace collector::client
