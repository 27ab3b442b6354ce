#include "client/commands/replay.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <memory>
#include <utility>

#include "client/commands/checks.h"
#include "client/exit_status.h"
#include "client/interrupt.h"
#include "client/outbox.h"
#include "client/replay_state.h"
#include "client/sender.h"
#include "client/table.h"
#include "client/value.h"

namespace collector::client {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kTurn{200};  // an interrupt is noticed within it
constexpr std::chrono::seconds kGraceAfterInterrupt{3};
constexpr std::chrono::seconds kSaveEvery{1};
constexpr milliseconds kDrawEvery{200};
constexpr int kRefusalsToldMax = 20;

class Replay {
 public:
  Replay(const Settings& settings, const ReplayCommand& command, RowMapping mapping)
      : settings_(settings), command_(command), mapping_(std::move(mapping)) {}

  Status Create();
  int Run();

 private:
  // A row that is not answered yet.
  struct Open {
    std::uint64_t line;
    std::uint64_t last_line;
    std::size_t events;
  };

  bool Submit(const Row& row);
  bool AwaitTime(std::int64_t timestamp_ns);
  bool Await(std::size_t pending_max);
  void Turn(milliseconds wait);
  void OnEnd(std::uint64_t key, const std::string& refusal);
  void Refuse(std::uint64_t line, const std::string& why);
  void Advance();
  void Save();
  void Draw();
  void EraseBar() const;
  int Finish(bool whole);

  const Settings settings_;
  const ReplayCommand command_;
  const RowMapping mapping_;
  const Clock::time_point started_ = Clock::now();
  std::unique_ptr<Table> table_;
  std::unique_ptr<Outbox> outbox_;
  std::string origin_;
  std::string state_path_;
  ReplayState state_;

  std::deque<Open> open_;         // in the file's order; an event's key counts rows from the start
  std::uint64_t first_open_ = 0;  // the key of the first of them
  std::int64_t first_timestamp_ns_ = -1;
  Clock::time_point interrupted_at_ = Clock::time_point::max();
  Clock::time_point save_at_ = Clock::now() + kSaveEvery;
  Clock::time_point draw_at_{};
  std::uint64_t saved_line_ = 0;
  std::uint64_t rows_ = 0;
  std::uint64_t stored_ = 0;
  std::uint64_t refused_ = 0;  // rows that are no events, and events
  bool told_unsaved_ = false;
};

std::string Extension(const std::string& file) {
  return std::filesystem::path(file).extension().string();
}

// What must be the same for a replay to be the one that was begun.
std::string DescriptionOf(const Settings& settings, const ReplayCommand& command) {
  const RowOptions& rows = command.rows;
  const Json how = {settings.host,
                    settings.port,
                    settings.name_space,
                    settings.sender.value_or(""),
                    settings.origin.value_or(""),
                    rows.timestamp_column,
                    rows.timestamp_format,
                    rows.utc_offset,
                    rows.type_column,
                    rows.value_columns,
                    rows.origin_column,
                    rows.units,
                    command.delimiter};
  return how.dump();
}

Status Replay::Create() {
  const std::string extension = Extension(command_.file);
  const bool json = extension == ".ndjson" || extension == ".jsonl";
  char delimiter = extension == ".tsv" ? '\t' : ',';
  if (!command_.delimiter.empty()) delimiter = command_.delimiter[0];
  auto table =
      Table::Open(command_.file, json ? Table::Format::kJsonLines : Table::Format::kCsv, delimiter);
  if (!table.ok()) return table.error();
  table_ = std::move(table).value();
  if (!json) {
    if (Status fits = mapping_.Check(table_->columns()); !fits.ok()) {
      return Error{ErrorCode::kInvalid, command_.file + ": " + fits.error().message};
    }
  }
  origin_ = settings_.origin.value_or(std::filesystem::path(command_.file).stem().string());
  state_path_ = command_.state_file.empty() ? command_.file + ".replay" : command_.state_file;
  state_.how = DescriptionOf(settings_, command_);
  const ReplayState before = ReadReplayState(state_path_);
  if (!command_.restart && before.how == state_.how) state_.line = before.line;
  saved_line_ = state_.line;
  if (Status written = WriteReplayState(state_path_, state_); !written.ok()) {
    return Error{ErrorCode::kIo,
                 written.error().message + "; name another place with --state-file"};
  }
  if (state_.line > 0) {
    Tell("going on behind line " + std::to_string(state_.line) + ", as " + state_path_ +
         " says; --restart begins anew");
  }
  auto outbox = Outbox::Create(
      settings_, command_.window,
      [this](std::uint64_t key, const std::string& refusal) { OnEnd(key, refusal); });
  if (!outbox.ok()) return outbox.error();
  outbox_ = std::move(outbox).value();
  return Ok{};
}

int Replay::Run() {
  Row row;
  bool whole = true;
  while (whole && table_->Next(&row)) {
    if (row.last_line > state_.line) whole = Submit(row) && !Interrupted();
  }
  return Finish(Await(0) && whole);
}

// False: interrupted before all of it was taken.
bool Replay::Submit(const Row& row) {
  ++rows_;
  open_.push_back({row.line, row.last_line, 0});
  const std::uint64_t key = first_open_ + open_.size() - 1;
  Result<std::vector<Event>> events =
      row.error.empty() ? mapping_.Read(row.cells) : Error{ErrorCode::kInvalid, row.error};
  if (!events.ok()) {
    Refuse(row.line, events.error().message);
    Advance();
    return true;
  }
  open_.back().events = events.value().size();
  if (events.value().empty()) {
    Advance();
    return true;
  }
  if (!AwaitTime(*events.value().front().timestamp_ns)) return false;
  for (Event& event : events.value()) {
    if (!Await(command_.window - 1)) return false;
    event.name_space = settings_.name_space;
    event.sender = settings_.sender.value_or("replay");
    if (event.origin.empty()) event.origin = origin_;
    outbox_->Send(key, event);
  }
  return true;
}

// Until the row's time has come, as --speed has it. False: interrupted.
bool Replay::AwaitTime(std::int64_t timestamp_ns) {
  if (command_.speed <= 0) return !Interrupted();
  if (first_timestamp_ns_ < 0) first_timestamp_ns_ = timestamp_ns;
  const std::chrono::duration<double, std::nano> after(
      static_cast<double>(timestamp_ns - first_timestamp_ns_) / command_.speed);
  const Clock::time_point due = started_ + std::chrono::duration_cast<Clock::duration>(after);
  while (!Interrupted() && Clock::now() < due) {
    Turn(std::min(std::chrono::ceil<milliseconds>(due - Clock::now()), kTurn));
  }
  return !Interrupted();
}

// Until at most so many events have no answer. False: interrupted, and that takes too long.
bool Replay::Await(std::size_t pending_max) {
  while (outbox_->pending() > pending_max) {
    if (Interrupted() && interrupted_at_ == Clock::time_point::max()) {
      interrupted_at_ = Clock::now();
    }
    if (Interrupted() && Clock::now() > interrupted_at_ + kGraceAfterInterrupt) return false;
    Turn(kTurn);
  }
  return true;
}

void Replay::Turn(milliseconds wait) {
  outbox_->Turn(wait);
  if (Clock::now() >= save_at_) Save();
  Draw();
}

void Replay::OnEnd(std::uint64_t key, const std::string& refusal) {
  Open& row = open_[static_cast<std::size_t>(key - first_open_)];
  CHECK(row.events > 0);
  --row.events;
  if (refusal.empty()) ++stored_;
  if (!refusal.empty()) Refuse(row.line, refusal);
  Advance();
}

void Replay::Refuse(std::uint64_t line, const std::string& why) {
  ++refused_;
  if (refused_ > kRefusalsToldMax) return;
  EraseBar();
  Tell(command_.file + ":" + std::to_string(line) + ": " + Printable(why));
  if (refused_ == kRefusalsToldMax) Tell("what is refused from here on is only counted");
}

void Replay::Advance() {
  for (; !open_.empty() && open_.front().events == 0; ++first_open_) {
    state_.line = open_.front().last_line;
    open_.pop_front();
  }
}

void Replay::Save() {
  save_at_ = Clock::now() + kSaveEvery;
  if (saved_line_ == state_.line) return;
  Status written = WriteReplayState(state_path_, state_);
  if (written.ok()) saved_line_ = state_.line;
  if (!written.ok() && !std::exchange(told_unsaved_, true)) {
    EraseBar();
    Tell(written.error().message + "; another run would begin behind line " +
         std::to_string(saved_line_));
  }
}

void Replay::Draw() {
  if (settings_.silent || isatty(STDERR_FILENO) == 0 || Clock::now() < draw_at_) return;
  draw_at_ = Clock::now() + kDrawEvery;
  constexpr std::size_t kWidth = 30;
  const double part = table_->bytes() == 0 ? 1
                                           : static_cast<double>(table_->bytes_read()) /
                                                 static_cast<double>(table_->bytes());
  std::string bar(static_cast<std::size_t>(part * kWidth), '#');
  bar.resize(kWidth, '.');
  const std::chrono::duration<double> took = Clock::now() - started_;
  std::fprintf(stderr, "\r\033[K[%s] %3.0f %%  %llu rows, %.0f events/s", bar.c_str(), part * 100,
               static_cast<unsigned long long>(rows_),  // NOLINT(google-runtime-int)
               static_cast<double>(stored_) / took.count());
}

void Replay::EraseBar() const {
  if (!settings_.silent && isatty(STDERR_FILENO) != 0) std::fputs("\r\033[K", stderr);
}

int Replay::Finish(bool whole) {
  Save();
  EraseBar();
  const std::chrono::duration<double> took = Clock::now() - started_;
  std::array<char, 32> seconds{};
  std::snprintf(seconds.data(), seconds.size(), "%.1f", took.count());
  Tell(command_.file + ": " + std::to_string(rows_) + " rows: " + std::to_string(stored_) +
       " events stored, " + std::to_string(refused_) + " refused in " + seconds.data() + " s");
  if (!whole) {
    return Fail("all to line " + std::to_string(state_.line) +
                    " is answered; the same command again goes on there",
                kExitFailed);
  }
  return refused_ > 0 ? kExitRefused : kExitOk;
}

// "max", or how many times as fast as recorded, like 60x: 0 for max, below 0 for what is neither.
double ReadSpeed(std::string text) {
  if (text == "max") return 0;
  if (!text.empty() && text.back() == 'x') text.pop_back();
  return CheckPositive(text).empty() ? std::strtod(text.c_str(), nullptr) : -1;
}

}  // namespace

int ReplayCommand::operator()(const Settings& settings) const {
  auto mapping = RowMapping::Create(rows);
  if (!mapping.ok()) return Fail(mapping.error().message, kExitUsage);
  Replay replay(settings, *this, std::move(mapping).value());
  if (Status ready = replay.Create(); !ready.ok()) {
    const bool usage = ready.error().code == ErrorCode::kInvalid;
    return Fail(ready.error().message, usage ? kExitUsage : kExitFailed);
  }
  return replay.Run();
}

namespace {

constexpr const char* kDescription =
    "Send recorded data: a CSV file with a header, or JSON lines\n\n"
    "Examples:\n"
    "  client replay weather.csv --timestamp-column date --unit temp_max=Cel\n"
    "  client replay stocks.csv --timestamp-column date --timestamp-format '%b %d %Y' \\\n"
    "      --origin-column symbol --value-column price\n"
    "  client replay log.ndjson --timestamp-column time --type-column kind \\\n"
    "      --value-column value --speed 60x\n\n"
    "Each value of a row is one event with the row's time; empty, NA, N/A, NaN, None and null are\n"
    "no value. In JSON lines a member of an object within is a column outer.inner. Origin is the\n"
    "file's name unless given, sender replay.\n\n"
    "To where all rows are answered is kept in FILE.replay: the same command again goes on there.\n"
    "What the collector cannot take now is sent again until it can. Ctrl-C ends it.\n";

void AddColumnOptions(CLI::App* command, RowOptions* rows) {
  command->add_option("--timestamp-column", rows->timestamp_column, "When it was")->required();
  command
      ->add_option("--timestamp-format", rows->timestamp_format,
                   "auto, seconds or milliseconds since 1970, year (1998.25), or a pattern of\n"
                   "strptime like '%d.%m.%Y %H:%M'")
      ->capture_default_str();
  command->add_option("--utc-offset", rows->utc_offset,
                      "Of times without a zone, like +02:00; default: UTC");
  command
      ->add_option("--value-column", rows->value_columns,
                   "A column of values, or type=column; may be given several times; default: all")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("--type-column", rows->type_column,
                      "Tells each row's type; default: a value's column is its type");
  command->add_option("--origin-column", rows->origin_column, "Tells each row's origin");
  command->add_option("--unit", rows->units, "A type's unit, like temp_max=Cel; also several times")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

}  // namespace

CommandSpec AddReplay(CLI::App* app, const Environment& /*environment*/) {
  struct Arguments {
    ReplayCommand command;
    std::string speed = "max";
  };
  const auto arguments = std::make_shared<Arguments>();
  ReplayCommand& replay = arguments->command;
  CLI::App* command = app->add_subcommand("replay", kDescription);
  command->add_option("file", replay.file, "A .csv, .tsv, .ndjson or .jsonl file")->required();
  AddColumnOptions(command, &replay.rows);
  command
      ->add_option("--delimiter", replay.delimiter, "Between cells; default: , (in a .tsv a tab)")
      ->check([](const std::string& text) {
        return text.size() == 1 ? "" : "'" + text + "' is not one character";
      });
  command->add_option("--speed", arguments->speed, "As fast as recorded (1x), 60x, ..., or max")
      ->check([](const std::string& text) {
        return ReadSpeed(text) < 0 ? "'" + text + "' is not max, or like 60x" : "";
      })
      ->capture_default_str();
  command->add_option("--window", replay.window, "Events that may wait for their answers")
      ->check(CLI::Range(1, 1000).description(""))
      ->capture_default_str();
  command->add_option("--state-file", replay.state_file, "Instead of FILE.replay");
  command->add_flag("--restart", replay.restart, "Begin with the first row, whatever was answered");
  return {.app = command, .make = [arguments]() -> Result<Run> {
            if (auto rows = RowMapping::Create(arguments->command.rows); !rows.ok()) {
              return rows.error();
            }
            arguments->command.speed = ReadSpeed(arguments->speed);
            return Run(arguments->command);
          }};
}

}  // namespace collector::client
