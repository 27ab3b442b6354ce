// client bridge mqtt: what is published at an MQTT broker, as events.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "client/commands/command.h"
#include "client/message_mapping.h"
#include "client/mqtt_client.h"

namespace collector::client {

// Runs until it is interrupted: acknowledges a message to the broker once all its events are stored
// or refused for good, and so loses none when any of the three is killed.
struct BridgeMqttCommand {
  MqttClient::Options broker{};
  MappingOptions mapping{};
  std::string refused_file{};  // empty: none

  int operator()(const Settings& settings) const;
};

CommandSpec AddBridge(CLI::App* app, const Environment& environment);

}  // namespace collector::client
