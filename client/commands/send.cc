#include "client/commands/send.h"

#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <utility>

#include "client/commands/checks.h"
#include "client/commands/delivery_options.h"
#include "client/exit_status.h"
#include "client/line_reader.h"
#include "client/sender.h"
#include "client/value.h"
#include "event/event_json.h"
#include "event/timestamp.h"

namespace collector::client {
namespace {

constexpr std::chrono::milliseconds kIdle{200};      // nothing to do but to wait for a line
constexpr std::chrono::milliseconds kAnswersDue{5};  // how late a line may be seen meanwhile
constexpr const char* kStandardInput = "-";

// Makes events of what is read: of values where the command names a type, else of whole events,
// whose names may be left out.
class EventMaker {
 public:
  EventMaker(const SendCommand& command, const Sender& sender)
      : type_(command.type), names_(sender.NewEvent()) {
    if (!command.timestamp.empty()) timestamp_ns_ = ParseTimestamp(command.timestamp);
  }

  Result<Event> Make(Json json) {
    Event event = names_;
    if (!type_.empty()) {
      if (json.is_null()) return Error{ErrorCode::kInvalid, "null is no value"};
      event.type = type_;
      event.value = std::move(json);
    } else {
      auto whole = MakeWhole(std::move(json));
      if (!whole.ok()) return whole;
      event = std::move(whole).value();
    }
    if (!event.timestamp_ns.has_value()) event.timestamp_ns = timestamp_ns_;
    return event;
  }

  // A line is a value as on the command line, or an event in JSON.
  Result<Event> MakeOfLine(const std::string& line) {
    if (type_.empty()) {
      Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
      if (json.is_discarded()) return Error{ErrorCode::kInvalid, "not JSON"};
      return Make(std::move(json));
    }
    if (!IsUtf8(line)) return Error{ErrorCode::kInvalid, "not UTF-8"};
    auto value = ParseValue(line);
    if (!value.ok()) return value.error();
    return Make(std::move(value).value());
  }

 private:
  Result<Event> MakeWhole(Json json) {
    if (!json.is_object()) {
      return Error{ErrorCode::kInvalid,
                   "an event is an object; for a value, name its type: client send <type> ..."};
    }
    json.emplace("namespace", names_.name_space);
    json.emplace("sender", names_.sender);
    json.emplace("origin", names_.origin);
    std::string diagnostic;
    if (!decoder_.Decode(json.dump(), Timestamps::kText, &events_, &diagnostic)) {
      return Error{ErrorCode::kInvalid, diagnostic};
    }
    return events_.events().front();
  }

  const std::string type_;
  const Event names_;
  std::optional<std::int64_t> timestamp_ns_;
  EventJsonDecoder decoder_;
  EventList events_;
};

// Where it was, and why it was not sent.
std::string Unsent(const std::string& where, const Error& error) {
  return where + ": " + error.message + "; not sent";
}

// False: stop sending.
bool SendOne(const std::string& where, Result<Event> event, Sender* sender) {
  if (!event.ok()) {
    sender->TellUnsent(Unsent(where, event.error()));
    return true;
  }
  const Status sent = sender->SendEvent(std::move(event).value());
  if (sent.ok()) return true;
  if (sent.error().code != ErrorCode::kInvalid) return false;
  sender->TellUnsent(Unsent(where, sent.error()));
  return true;
}

void SendLines(int fd, EventMaker* maker, Sender* sender) {
  LineReader reader(fd);
  std::string line;
  for (std::int64_t number = 1;;) {
    const bool waiting = sender->in_flight() > 0;
    const auto state = reader.Next(waiting ? std::chrono::milliseconds(0) : kIdle, &line);
    const std::string where = "line " + std::to_string(number);
    switch (state) {
      case LineReader::State::kEnd:
        return;
      case LineReader::State::kError:
        sender->TellUnsent(where + ": " + line);
        return;
      case LineReader::State::kNotYet:
        if (!sender->WaitUntil(Sender::Clock::now() + (waiting ? kAnswersDue : kAnswersDue * 0))) {
          return;
        }
        break;
      case LineReader::State::kTooLong:
        sender->TellUnsent(where + " is longer than 1 MiB; not sent");
        ++number;
        break;
      case LineReader::State::kLine:
        ++number;
        if (line.find_first_not_of(" \t") == std::string::npos) break;
        if (!SendOne(where, maker->MakeOfLine(line), sender)) return;
        break;
    }
  }
}

// A file that is one JSON text: an array's elements, or the one there is.
void SendJson(Json json, EventMaker* maker, Sender* sender) {
  if (!json.is_array()) {
    SendOne("the file", maker->Make(std::move(json)), sender);
    return;
  }
  std::size_t number = 0;
  for (Json& element : json) {
    const std::string where = "element " + std::to_string(number++);
    if (!SendOne(where, maker->Make(std::move(element)), sender)) return;
  }
}

Status SendFile(const std::string& path, EventMaker* maker, Sender* sender) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Error{ErrorCode::kIo, "cannot read " + path + ": " + std::strerror(errno)};
  std::ifstream file(path);
  Json json = Json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) {
    SendLines(fd, maker, sender);
  } else {
    SendJson(std::move(json), maker, sender);
  }
  close(fd);
  return Ok{};
}

Status CheckTogether(const SendCommand& send) {
  const auto wrong = [](const char* what) { return Error{ErrorCode::kInvalid, what}; };
  if (!send.file.empty()) {
    if (!send.value.empty()) return wrong("give a value or --file, not both");
    if (!send.id.empty()) return wrong("--id is for one event; put it into the file's events");
    return Ok{};
  }
  if (send.type.empty()) return wrong("type and value are missing");
  return Ok{};
}

// What "-" means where it stands.
Result<Run> MakeSend(SendCommand send, bool has_value) {
  if (send.type == kStandardInput && !has_value) {
    send.type.clear();
    send.file = kStandardInput;
  } else if (send.value == kStandardInput) {
    send.value.clear();
    send.file = kStandardInput;
    has_value = false;
  }
  if (Status good = CheckTogether(send); !good.ok()) return good.error();
  if (send.file.empty() && !has_value) {
    return Error{ErrorCode::kInvalid, "the value of '" + send.type + "' is missing"};
  }
  return Run(send);
}

}  // namespace

int SendCommand::operator()(const Settings& settings) const {
  if (IsSenml(delivery.format) &&
      (settings.sender.has_value() || settings.name_space != "default")) {
    return Fail("SenML has no place for --sender or --namespace; the collector takes the origin " +
                    std::string("as sender"),
                kExitUsage);
  }
  auto created = Sender::Create(settings, delivery);
  if (!created.ok()) return Fail(created.error().message, kExitFailed);
  Sender& sender = *created.value();
  EventMaker maker(*this, sender);
  if (file == kStandardInput) {
    SendLines(STDIN_FILENO, &maker, &sender);
  } else if (!file.empty()) {
    if (Status sent = SendFile(file, &maker, &sender); !sent.ok()) {
      return Fail(sent.error().message, kExitFailed);
    }
  } else {
    auto event = maker.MakeOfLine(value);
    if (!event.ok()) return Fail(event.error().message, kExitUsage);
    event.value().client_id = id;
    const Status sent = sender.SendEvent(std::move(event).value());
    if (!sent.ok() && sent.error().code == ErrorCode::kInvalid) {
      sender.TellUnsent(sent.error().message);
    }
  }
  return sender.Finish();
}

CommandSpec AddSend(CLI::App* app, const Environment& /*environment*/) {
  const auto send = std::make_shared<SendCommand>();
  CLI::App* command = app->add_subcommand(
      "send",
      "Send one event, or those of a file or a pipe\n\n"
      "Examples:\n"
      "  client send temperature -3.5\n"
      "  client -o van7 send position '{\"lat\":40.4,\"lon\":-3.7}'\n"
      "  client send state running --timestamp 2018-06-01T14:08:24.772Z\n"
      "  sensor | client send temperature -       each line a value\n"
      "  client send --retries 5 --file events.ndjson\n"
      "  client send --json --content-format cbor level 7\n\n"
      "A value is JSON (21.5, true, {...}, [...]), else a text. To send a text that looks like\n"
      "JSON, quote it twice: '\"21.5\"'. With a type, each line of standard input (-) or of a "
      "file\n"
      "is a value; without, a whole event, whose namespace, sender and origin may be left out. A\n"
      "file may also be one JSON array of them. Each event is a request of its own.\n\n"
      "--retries sends an event again that was answered 5.xx or 4.29, or not at all: after the\n"
      "seconds that the answer asks for (Max-Age), else after 1, 2, 4 to 60. That does no harm:\n"
      "the collector stores the same event once.\n");
  command->add_option("type", send->type, "What the value is, like temperature");
  CLI::Option* value =
      command->add_option("value", send->value, "A number, true, false, JSON or a text; -: stdin")
          ->transform(Unshield)
          ->check(CheckValue);
  command->add_option("--file", send->file, "Send what is in this file; -: standard input");
  command->add_option("--timestamp", send->timestamp, "When it was measured; default: now")
      ->check(CheckTimestamp);
  command->add_option("--id", send->id, "Tells events apart that are equal in all else");
  AddContentFormatOption(command, &send->delivery);
  AddDeliveryOptions(command, &send->delivery);
  return {.app = command, .make = [send, value] { return MakeSend(*send, value->count() > 0); }};
}

}  // namespace collector::client
