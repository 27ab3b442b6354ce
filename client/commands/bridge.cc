#include "client/commands/bridge.h"

#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <utility>

#include "client/exit_status.h"
#include "client/interrupt.h"
#include "client/outbox.h"
#include "client/sender.h"
#include "client/value.h"
#include "collector/base/nanoseconds.h"
#include "event/timestamp.h"

namespace collector::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMessagesAtOnceMax = 1'000;
constexpr std::size_t kInFlightMax = 64;
constexpr std::size_t kPendingMax = 1'000;  // events
constexpr milliseconds kTurn{200};          // an interrupt is noticed within it
constexpr seconds kGraceAfterInterrupt{3};
constexpr seconds kSummaryEvery{60};
constexpr seconds kReconnectMin{1};
constexpr seconds kReconnectMax{30};
constexpr int kRefusalsToldMax = 10;

// Appends messages that became no events to a file, as JSON lines.
class RefusedFile {
 public:
  ~RefusedFile() {
    if (file_ >= 0) close(file_);
  }

  Status Open(const std::string& path) {
    file_ = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (file_ < 0) return Error{ErrorCode::kIo, path + ": " + std::strerror(errno)};
    return Ok{};
  }

  void Add(const MqttMessage& message, const std::string& why) {
    if (file_ < 0) return;
    const Json line = {{"topic", message.topic}, {"payload", message.payload}, {"refused", why}};
    lines_ += line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  }

  // Makes what was added durable.
  Status Sync() {
    if (lines_.empty()) return Ok{};
    while (!lines_.empty()) {
      const ssize_t written = write(file_, lines_.data(), lines_.size());
      if (written < 0 && errno != EINTR) return Error{ErrorCode::kIo, std::strerror(errno)};
      if (written > 0) lines_.erase(0, static_cast<std::size_t>(written));
    }
    if (fdatasync(file_) != 0) return Error{ErrorCode::kIo, std::strerror(errno)};
    return Ok{};
  }

 private:
  int file_ = -1;
  std::string lines_;
};

class Bridge {
 public:
  Bridge(const Settings& settings, MessageMapping mapping)
      : settings_(settings), mapping_(std::move(mapping)) {}

  Status Create(const MqttClient::Options& broker, const std::string& refused_file);
  int Run();

 private:
  void Reconnect();
  Status Forward(std::vector<MqttMessage> batch);
  void Submit(std::size_t index);
  std::int64_t ArrivalOf(const MqttMessage& message);
  void Refuse(const MqttMessage& message, const std::string& why);
  bool Await(std::size_t pending_max);
  void Summarise();
  int Finish();

  const Settings settings_;
  const MessageMapping mapping_;
  std::unique_ptr<MqttClient> mqtt_;
  std::unique_ptr<Outbox> outbox_;
  RefusedFile refused_file_;

  std::vector<MqttMessage> batch_;  // received, not acknowledged; an event's key is its index
  // Of batches that a broken connection left unacknowledged, by message id: the broker delivers
  // them again, and without this they would have another time than before.
  struct Arrival {
    MqttMessage message;
    std::int64_t timestamp_ns;
  };
  std::map<int, Arrival> unacknowledged_;
  std::int64_t last_arrival_ns_ = 0;

  Clock::time_point interrupted_at_ = Clock::time_point::max();
  Clock::time_point reconnect_at_{};
  seconds reconnect_pause_ = kReconnectMin;
  Clock::time_point summary_at_ = Clock::now() + kSummaryEvery;
  std::uint64_t messages_ = 0;
  std::uint64_t stored_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t unusable_ = 0;
  std::uint64_t summarised_ = 0;
};

Status Bridge::Create(const MqttClient::Options& broker, const std::string& refused_file) {
  if (!refused_file.empty()) {
    if (Status opened = refused_file_.Open(refused_file); !opened.ok()) return opened;
  }
  auto mqtt = MqttClient::Create(broker);
  if (!mqtt.ok()) return mqtt.error();
  mqtt_ = std::move(mqtt).value();
  auto outbox = Outbox::Create(settings_, kInFlightMax,
                               [this](std::uint64_t key, const std::string& refusal) {
                                 if (refusal.empty()) {
                                   ++stored_;
                                   return;
                                 }
                                 ++refused_;
                                 Refuse(batch_[static_cast<std::size_t>(key)], refusal);
                               });
  if (!outbox.ok()) return outbox.error();
  outbox_ = std::move(outbox).value();
  return Ok{};
}

int Bridge::Run() {
  while (!Interrupted()) {
    Summarise();
    if (!mqtt_->connected()) {
      Reconnect();
      continue;
    }
    auto batch = mqtt_->Receive(kTurn, kMessagesAtOnceMax);
    if (!batch.ok()) {
      Tell(batch.error().message);
      continue;
    }
    if (batch.value().empty()) continue;
    if (Status forwarded = Forward(std::move(batch).value()); !forwarded.ok()) {
      Tell(forwarded.error().message);
      if (forwarded.error().code == ErrorCode::kIo) return kExitFailed;
    }
  }
  return Finish();
}

void Bridge::Reconnect() {
  while (!Interrupted() && Clock::now() < reconnect_at_) outbox_->Turn(kTurn);
  if (Interrupted()) return;
  Status connected = mqtt_->Connect();
  if (!connected.ok()) {
    Tell(connected.error().message + "; trying again in " +
         std::to_string(reconnect_pause_.count()) + " s");
    reconnect_at_ = Clock::now() + reconnect_pause_;
    reconnect_pause_ = std::min(reconnect_pause_ * 2, kReconnectMax);
    return;
  }
  reconnect_pause_ = kReconnectMin;
  reconnect_at_ = Clock::now() + kReconnectMin;
  if (!mqtt_->session_present()) unacknowledged_.clear();  // its message ids begin anew
  Tell("connected to " + mqtt_->peer() +
       (mqtt_->session_present()
            ? ""
            : ", in a new session: what was published before is not delivered"));
}

// Acknowledges them all together, once the last one's events have ended.
Status Bridge::Forward(std::vector<MqttMessage> batch) {
  batch_ = std::move(batch);
  for (std::size_t i = 0; i < batch_.size(); ++i) Submit(i);
  const bool ended = Await(0);
  if (Status synced = refused_file_.Sync(); !synced.ok()) {
    return Error{ErrorCode::kIo, "--refused-file: " + synced.error().message +
                                     "; what was refused stays at the broker"};
  }
  Status acknowledged = ended ? mqtt_->Acknowledge() : Ok{};
  if (ended && acknowledged.ok()) unacknowledged_.clear();
  return acknowledged;
}

void Bridge::Submit(std::size_t index) {
  const MqttMessage& message = batch_[index];
  ++messages_;
  if (message.retained) return;
  auto events = mapping_.Read(message.topic, message.payload, ArrivalOf(message));
  if (!events.ok()) {
    ++unusable_;
    Refuse(message, events.error().message);
    return;
  }
  for (Event& event : events.value()) {
    if (!Await(kPendingMax - 1)) return;
    event.name_space = settings_.name_space;
    event.sender = settings_.sender.value_or("mqtt");
    outbox_->Send(index, event);
  }
}

// Never twice the same, or two equal readings would be one event.
std::int64_t Bridge::ArrivalOf(const MqttMessage& message) {
  const auto known = unacknowledged_.find(message.message_id);
  if (known != unacknowledged_.end() && known->second.message.topic == message.topic &&
      known->second.message.payload == message.payload) {
    return known->second.timestamp_ns;
  }
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  last_arrival_ns_ = std::max(std::chrono::floor<std::chrono::microseconds>(now).count() * kNsPerUs,
                              last_arrival_ns_ + kNsPerUs);
  if (message.message_id != 0) {
    unacknowledged_.insert_or_assign(message.message_id, Arrival{message, last_arrival_ns_});
  }
  return last_arrival_ns_;
}

void Bridge::Refuse(const MqttMessage& message, const std::string& why) {
  refused_file_.Add(message, why);
  const std::uint64_t count = refused_ + unusable_;
  if (count > kRefusalsToldMax) return;
  Tell(Printable(message.topic) + ": " + Printable(why) + ": " +
       Printable(message.payload.substr(0, 200)));
  if (count == kRefusalsToldMax) Tell("what is refused from here on is only counted");
}

// Until at most so many events have not ended. False: interrupted, and that takes too long.
bool Bridge::Await(std::size_t pending_max) {
  while (outbox_->pending() > pending_max) {
    if (Interrupted() && interrupted_at_ == Clock::time_point::max()) {
      interrupted_at_ = Clock::now();
    }
    if (Interrupted() && Clock::now() > interrupted_at_ + kGraceAfterInterrupt) return false;
    outbox_->Turn(kTurn);
  }
  return true;
}

void Bridge::Summarise() {
  if (Clock::now() < summary_at_ && !Interrupted()) return;
  summary_at_ = Clock::now() + kSummaryEvery;
  if (messages_ == summarised_ && !Interrupted()) return;
  summarised_ = messages_;
  Tell(std::to_string(messages_) + " messages: " + std::to_string(stored_) + " events stored, " +
       std::to_string(refused_) + " refused, " + std::to_string(unusable_) +
       " messages that are no event");
}

int Bridge::Finish() {
  const bool drained = outbox_->pending() == 0;
  mqtt_->Disconnect();
  Summarise();
  if (drained) return kExitOk;
  return Fail("ended before the collector answered; the broker keeps what it did not answer",
              kExitUnavailable);
}

Status ReadBroker(const std::string& text, MqttClient::Options* options) {
  const std::size_t colon = text.rfind(':');
  const bool bare_v6 = text.find(':') != colon && text.substr(0, 1) != "[";
  const bool has_port = colon != std::string::npos && !bare_v6 && text.back() != ']';
  options->host = has_port ? text.substr(0, colon) : text;
  options->port = options->tls ? 8883 : 1883;
  if (has_port) {
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, options->port);
    if (error != std::errc() || stop != end || options->port == 0) {
      return Error{ErrorCode::kInvalid, "--broker: '" + text + "' has no port from 1 to 65535"};
    }
  }
  if (options->host.size() > 2 && options->host.front() == '[' && options->host.back() == ']') {
    options->host = options->host.substr(1, options->host.size() - 2);
  }
  if (options->host.empty()) return Error{ErrorCode::kInvalid, "--broker names no host"};
  return Ok{};
}

}  // namespace

int BridgeMqttCommand::operator()(const Settings& settings) const {
  IgnoreBrokenPipes();
  MappingOptions named = mapping;
  named.origin = settings.origin.value_or(named.origin);
  auto created = MessageMapping::Create(named);
  if (!created.ok()) return Fail(created.error().message, kExitUsage);
  Bridge bridge(settings, std::move(created).value());
  if (Status ready = bridge.Create(broker, refused_file); !ready.ok()) {
    const bool usage = ready.error().code == ErrorCode::kInvalid;
    return Fail(ready.error().message, usage ? kExitUsage : kExitFailed);
  }
  return bridge.Run();
}

namespace {

// What the options are bound to, where that is not their final type.
struct BridgeArguments {
  BridgeMqttCommand command;
  std::string broker;
  std::string password_file;
};

constexpr const char* kMqttDescription =
    "Subscribe at an MQTT broker, and send what is published as events\n\n"
    "Examples:\n"
    "  client bridge mqtt --broker localhost --topic 'sensors/+/+' \\\n"
    "      --origin '{topic[1]}' --type '{topic[2]}'\n"
    "  client bridge mqtt --broker hub:1883 --topic 'zigbee2mqtt/+' \\\n"
    "      --origin '{topic[1]}' --timestamp /last_seen\n"
    "  client bridge mqtt --broker hub --topic 'tele/+/SENSOR' \\\n"
    "      --origin '{topic[1]}' --timestamp /Time --utc-offset +02:00\n\n"
    "A payload that is a JSON object becomes one event for each value in it; any other payload\n"
    "becomes one. Names are made of {topic}, {topic[1]} (a level, from 0; the last is -1),\n"
    "{payload}, {payload/a/b} (a JSON pointer) and {key} (the value's name: its path in the\n"
    "payload, like ENERGY.Power, else the topic's last level). --origin is {topic} unless given,\n"
    "--sender mqtt.\n\n"
    "A message is acknowledged to the broker once its events are stored. Give --timestamp where\n"
    "payloads have a time: then what the broker delivers twice is stored once. Retained messages\n"
    "are left out: when they were true nobody knows. A password comes from MQTT_PASSWORD.\n";

void AddBrokerOptions(CLI::App* mqtt, BridgeArguments* arguments) {
  MqttClient::Options& broker = arguments->command.broker;
  mqtt->add_option("--broker", arguments->broker, "Its host, or host:port")->required();
  mqtt->add_option("--topic", broker.topics, "A topic filter; may be given several times")
      ->required()
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  mqtt->add_option("--client-id", broker.client_id,
                   "Under which the broker keeps messages; each bridge needs its own")
      ->capture_default_str();
  mqtt->add_option("--username", broker.username, "At the broker");
  mqtt->add_option("--password-file", arguments->password_file,
                   "Whose first line is the password; else from MQTT_PASSWORD");
  mqtt->add_flag("--tls", broker.tls, "Encrypt; with the system's certificate authorities");
  mqtt->add_option("--ca-file", broker.ca_file, "Encrypt; with these certificate authorities");
  mqtt->add_option("--cert-file", broker.cert_file, "Our certificate, with --key-file");
  mqtt->add_option("--key-file", broker.key_file, "Its key")->needs("--cert-file");
}

void AddMappingOptions(CLI::App* mqtt, BridgeArguments* arguments) {
  MappingOptions& mapping = arguments->command.mapping;
  mqtt->add_option("--type", mapping.type, "The events' type")->capture_default_str();
  mqtt->add_option("--value", mapping.values,
                   "Take only this of an object: a JSON pointer, or name=pointer;\n"
                   "may be given several times")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  mqtt->add_option("--timestamp", mapping.timestamp,
                   "A JSON pointer to when it was; default: when it came");
  mqtt->add_option("--timestamp-format", mapping.timestamp_format,
                   "auto, seconds, milliseconds, or a pattern like '%d.%m.%Y %H:%M'")
      ->capture_default_str();
  mqtt->add_option("--utc-offset", mapping.utc_offset,
                   "Of times without a zone, like +02:00; default: UTC");
  mqtt->add_option("--refused-file", arguments->command.refused_file,
                   "Append messages that become no events, as JSON lines");
}

Result<Run> MakeBridge(const BridgeArguments& arguments, const Environment& environment) {
  BridgeMqttCommand command = arguments.command;
  command.broker.tls = command.broker.tls || !command.broker.ca_file.empty();
  if (Status read = ReadBroker(arguments.broker, &command.broker); !read.ok()) return read.error();
  if (!command.broker.tls && !command.broker.cert_file.empty()) {
    return Error{ErrorCode::kInvalid, "--cert-file needs --tls or --ca-file"};
  }
  if (const char* password = environment("MQTT_PASSWORD")) command.broker.password = password;
  if (!arguments.password_file.empty()) {
    std::ifstream file(arguments.password_file);
    if (!std::getline(file, command.broker.password)) {
      return Error{ErrorCode::kInvalid, "--password-file: cannot read " + arguments.password_file};
    }
  }
  if (auto mapping = MessageMapping::Create(command.mapping); !mapping.ok()) {
    return mapping.error();
  }
  return Run(command);
}

}  // namespace

CommandSpec AddBridge(CLI::App* app, const Environment& environment) {
  const auto arguments = std::make_shared<BridgeArguments>();
  arguments->command.broker.client_id = "coap-bridge-" + HostName();
  CLI::App* bridge = app->add_subcommand("bridge", "Send what another system has as events\n");
  bridge->require_subcommand(1);
  CLI::App* mqtt = bridge->add_subcommand("mqtt", kMqttDescription);
  mqtt->footer(
      "Runs until Ctrl-C or SIGTERM. Exit status: 0 all that was received is stored, 1 failed,\n"
      "2 wrong usage, 4 the collector did not answer; the broker keeps what is left.");
  AddBrokerOptions(mqtt, arguments.get());
  AddMappingOptions(mqtt, arguments.get());
  return {.app = bridge,
          .make = [arguments, environment]() { return MakeBridge(*arguments, environment); }};
}

}  // namespace collector::client
