#include "client/mqtt_client.h"

#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <poll.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "client/interrupt.h"

namespace collector::client {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kConsentWait{10};
constexpr std::chrono::seconds kWriteWait{10};
constexpr milliseconds kTurn{200};  // an interrupt is noticed within it
constexpr int kQos = 1;
constexpr int kRefusedQos = 128;

std::string Explain(int code) {
  return code == MOSQ_ERR_ERRNO ? std::strerror(errno) : mosquitto_strerror(code);
}

// What is ready of `events`; 0 after `wait` or a signal.
short Poll(int socket, short events, milliseconds wait) {
  pollfd polled{.fd = socket, .events = events, .revents = 0};
  return poll(&polled, 1, static_cast<int>(wait.count())) > 0 ? polled.revents : short{0};
}

}  // namespace

struct MqttClient::Callbacks {
  static void OnConnect(mosquitto* client, void* data, int code, int flags) {
    auto* self = static_cast<MqttClient*>(data);
    if (code != 0) {
      self->refusal_ = mosquitto_connack_string(code);
      return;
    }
    self->session_present_ = (flags & 1) != 0;
    std::vector<char*> topics;
    for (const std::string& topic : self->options_.topics) {
      topics.push_back(const_cast<char*>(topic.c_str()));  // the library does not write to them
    }
    const int error = mosquitto_subscribe_multiple(client, nullptr, static_cast<int>(topics.size()),
                                                   topics.data(), kQos, 0, nullptr);
    if (error != MOSQ_ERR_SUCCESS) self->refusal_ = Explain(error);
  }

  static void OnSubscribe(mosquitto* /*client*/, void* data, int /*mid*/, int count,
                          const int* granted) {
    auto* self = static_cast<MqttClient*>(data);
    self->subscribed_ = true;
    for (int i = 0; i < count; ++i) {
      if (granted[i] >= kRefusedQos) {
        self->refusal_ =
            "no right to read '" + self->options_.topics[static_cast<std::size_t>(i)] + "'";
      }
    }
  }

  static void OnMessage(mosquitto* /*client*/, void* data, const mosquitto_message* message) {
    auto* self = static_cast<MqttClient*>(data);
    self->unacknowledged_ = self->unacknowledged_ || message->qos > 0;
    self->received_.push_back({message->topic,
                               {static_cast<const char*>(message->payload),
                                static_cast<std::size_t>(message->payloadlen)},
                               message->qos > 0 ? message->mid : 0,
                               message->retain});
  }
};

void MqttClient::Free::operator()(mosquitto* client) const { mosquitto_destroy(client); }

MqttClient::~MqttClient() = default;

Result<std::unique_ptr<MqttClient>> MqttClient::Create(Options options) {
  mosquitto_lib_init();
  for (const std::string& topic : options.topics) {
    if (mosquitto_sub_topic_check(topic.c_str()) != MOSQ_ERR_SUCCESS) {
      return Error{ErrorCode::kInvalid, "'" + topic + "' is no topic filter, like sensors/+/#"};
    }
  }
  std::unique_ptr<MqttClient> client(new MqttClient(std::move(options)));
  if (Status configured = client->Configure(); !configured.ok()) return configured.error();
  return client;
}

Status MqttClient::Configure() {
  client_.reset(mosquitto_new(options_.client_id.c_str(), /*clean_session=*/false, this));
  CHECK(client_ != nullptr);
  mosquitto* client = client_.get();
  int error = mosquitto_threaded_set(client, true);
  if (error == MOSQ_ERR_SUCCESS && !options_.username.empty()) {
    error =
        mosquitto_username_pw_set(client, options_.username.c_str(),
                                  options_.password.empty() ? nullptr : options_.password.c_str());
  }
  if (error == MOSQ_ERR_SUCCESS && options_.tls) {
    const auto file = [](const std::string& name) { return name.empty() ? nullptr : name.c_str(); };
    error = mosquitto_tls_set(client, file(options_.ca_file),
                              options_.ca_file.empty() ? "/etc/ssl/certs" : nullptr,
                              file(options_.cert_file), file(options_.key_file), nullptr);
    if (error != MOSQ_ERR_SUCCESS) {
      return Error{ErrorCode::kInvalid, "TLS: " + Explain(error) + " (a file cannot be read?)"};
    }
  }
  if (error != MOSQ_ERR_SUCCESS) return Error{ErrorCode::kInvalid, Explain(error)};
  mosquitto_connect_with_flags_callback_set(client, &Callbacks::OnConnect);
  mosquitto_subscribe_callback_set(client, &Callbacks::OnSubscribe);
  mosquitto_message_callback_set(client, &Callbacks::OnMessage);
  return Ok{};
}

Status MqttClient::Connect() {
  Disconnect();
  subscribed_ = session_present_ = unacknowledged_ = false;
  refusal_.clear();
  received_.clear();
  const int error =
      mosquitto_connect(client_.get(), options_.host.c_str(), options_.port, options_.keepalive_s);
  if (error != MOSQ_ERR_SUCCESS) return Lost(error);
  connected_ = true;
  return AwaitConsent();
}

// Messages of a session that the broker kept may come before; they wait for Receive.
Status MqttClient::AwaitConsent() {
  const Clock::time_point give_up = Clock::now() + kConsentWait;
  while (!subscribed_ && received_.empty()) {
    if (Status turned = Turn(kTurn, 1); !turned.ok()) return turned;
    if (Interrupted() || Clock::now() > give_up) {
      Disconnect();
      return Error{ErrorCode::kUnavailable, peer() + " accepts connections but does not answer"};
    }
  }
  return Ok{};
}

Result<std::vector<MqttMessage>> MqttClient::Receive(milliseconds wait, std::size_t count_max) {
  CHECK(connected_);
  CHECK(!unacknowledged_ || !received_.empty());
  if (received_.empty()) {
    if (Status turned = Turn(wait, count_max); !turned.ok()) return turned.error();
  }
  return std::exchange(received_, {});
}

// Reads what is there. Writes only while nothing is received: an acknowledgement would go with it.
Status MqttClient::Turn(milliseconds wait, std::size_t count_max) {
  mosquitto* client = client_.get();
  if (const int error = mosquitto_loop_misc(client); error != MOSQ_ERR_SUCCESS) return Lost(error);
  const bool write = mosquitto_want_write(client);
  const int events = POLLIN | (write ? POLLOUT : 0);
  const short ready = Poll(mosquitto_socket(client), static_cast<short>(events), wait);
  if (write && (ready & POLLOUT) != 0) {
    const int error = mosquitto_loop_write(client, 1);
    if (error != MOSQ_ERR_SUCCESS) return Lost(error);
  }
  if ((ready & ~POLLOUT) == 0) return Ok{};
  do {
    errno = 0;
    const int error = mosquitto_loop_read(client, 1);
    if (!refusal_.empty()) {
      Disconnect();
      return Error{ErrorCode::kForbidden, peer() + " refuses us: " + refusal_};
    }
    if (error != MOSQ_ERR_SUCCESS) return Lost(error);
  } while (received_.size() < count_max &&
           Poll(mosquitto_socket(client), POLLIN, milliseconds(0)) != 0);
  return Ok{};
}

Status MqttClient::Acknowledge() {
  CHECK(received_.empty());
  if (!connected_) return Error{ErrorCode::kUnavailable, "not connected to " + peer()};
  // Else the acknowledgements would seem to be written, into a connection the broker has closed.
  if (Poll(mosquitto_socket(client_.get()), POLLRDHUP, milliseconds(0)) != 0) {
    Disconnect();
    return Error{ErrorCode::kUnavailable, peer() + " closed the connection"};
  }
  if (Status written = Write(); !written.ok()) return written;
  unacknowledged_ = false;
  return Ok{};
}

Status MqttClient::Write() {
  const Clock::time_point give_up = Clock::now() + kWriteWait;
  while (mosquitto_want_write(client_.get())) {
    if (const int error = mosquitto_loop_write(client_.get(), 1); error != MOSQ_ERR_SUCCESS) {
      return Lost(error);
    }
    if (!mosquitto_want_write(client_.get())) break;
    if (Clock::now() > give_up) return Lost(MOSQ_ERR_CONN_LOST);
    Poll(mosquitto_socket(client_.get()), POLLOUT, kTurn);
  }
  return Ok{};
}

void MqttClient::Disconnect() {
  if (!connected_) return;
  connected_ = false;
  const bool goodbye = !unacknowledged_ && mosquitto_disconnect(client_.get()) == MOSQ_ERR_SUCCESS;
  if (goodbye && mosquitto_loop_write(client_.get(), 1) == MOSQ_ERR_SUCCESS) return;
  (void)Configure();  // a new client: the library has no other way to drop a connection unsaid
}

Error MqttClient::Lost(int code) {
  const bool was_connected = std::exchange(connected_, false);
  const std::string what = was_connected ? "lost the connection to " : "cannot connect to ";
  return {ErrorCode::kUnavailable, what + peer() + ": " + Explain(code)};
}

std::string MqttClient::peer() const {
  const bool v6 = options_.host.find(':') != std::string::npos;
  return "mqtt broker " + (v6 ? "[" + options_.host + "]" : options_.host) + ":" +
         std::to_string(options_.port);
}

}  // namespace collector::client
