// A subscriber at an MQTT broker whose acknowledgements wait.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "collector/base/result.h"

struct mosquitto;
struct mosquitto_message;

namespace collector::client {

struct MqttMessage {
  std::string topic;
  std::string payload;
  int message_id = 0;     // 0: QoS 0, which the broker sends once and wants not acknowledged
  bool retained = false;  // the topic's last message before we subscribed
};

// Subscribes with QoS 1 in a session that the broker keeps while we are away (MQTT 3.1.1).
//
// libmosquitto queues the acknowledgement of a message before it hands the message over, and for a
// program that says it has threads leaves the writing to that program. So nothing is acknowledged
// until Acknowledge writes. Not for several threads all the same.
class MqttClient {
 public:
  struct Options {
    std::string host;
    std::uint16_t port = 1883;
    std::string client_id;
    std::vector<std::string> topics;  // filters, with + and #
    std::string username;             // empty: none
    std::string password;
    bool tls = false;
    std::string ca_file;    // empty: the system's authorities
    std::string cert_file;  // ours, with its key; empty: none
    std::string key_file;
    int keepalive_s = 60;
  };

  // Connects to nothing yet. Errors: a topic filter or a TLS file that is none.
  static Result<std::unique_ptr<MqttClient>> Create(Options options);
  ~MqttClient();
  MqttClient(const MqttClient&) = delete;
  MqttClient& operator=(const MqttClient&) = delete;

  // Connects and subscribes; waits for the broker's consent for at most ten seconds once there is a
  // connection. The Error tells why there is none.
  Status Connect();

  // Between Connect and the first Error of one of the following.
  [[nodiscard]] bool connected() const { return connected_; }

  // Whether the broker still knew us at the last Connect, and so kept our messages.
  [[nodiscard]] bool session_present() const { return session_present_; }

  // Waits for messages, at most `wait`, and returns those that are there, `count_max` or a few
  // more. Call Acknowledge before the next time, if they are not empty.
  Result<std::vector<MqttMessage>> Receive(std::chrono::milliseconds wait, std::size_t count_max);

  // Acknowledges all that was received. After an Error the broker will deliver some of it again.
  Status Acknowledge();

  // Says goodbye to the broker; with messages not acknowledged only drops the connection.
  void Disconnect();

  // "host:port", as messages name the broker.
  [[nodiscard]] std::string peer() const;

 private:
  struct Callbacks;  // what libmosquitto calls
  struct Free {
    void operator()(mosquitto* client) const;
  };

  explicit MqttClient(Options options) : options_(std::move(options)) {}

  Status Configure();
  Status AwaitConsent();
  Status Turn(std::chrono::milliseconds wait, std::size_t count_max);
  Status Write();
  Error Lost(int code);

  const Options options_;
  std::unique_ptr<mosquitto, Free> client_;
  std::vector<MqttMessage> received_;  // within Receive
  bool unacknowledged_ = false;        // a received message's acknowledgement is not written
  bool connected_ = false;
  bool session_present_ = false;
  bool subscribed_ = false;
  std::string refusal_;  // the broker's, of the connection or a topic
};

}  // namespace collector::client
