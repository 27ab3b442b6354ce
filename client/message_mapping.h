// What a message of another system (a topic and a payload) says as events. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/recorded_time.h"
#include "collector/base/result.h"
#include "event/event.h"

namespace collector::client {

// A place in a payload: a JSON pointer (RFC 6901) taken apart.
using Pointer = std::vector<std::string>;

// A text with places for what a message says: {topic}, {topic[1]} (a level, counted from 0, from
// the end with -1), {payload}, {payload/device/id} (a JSON pointer), {key} (a value's name).
class Template {
 public:
  static Result<Template> Create(std::string_view text);

  struct Message {
    std::string_view topic;
    std::string_view payload;
    const Json* json;  // null: the payload is not JSON
    std::string_view key;
  };
  // An Error where the message lacks what it should fill in.
  [[nodiscard]] Result<std::string> Fill(const Message& message) const;

 private:
  struct Part {
    enum class Kind { kText, kTopic, kLevel, kPayload, kPointer, kKey };
    Kind kind = Kind::kText;
    std::string text{};  // itself, or as a person wrote it
    int level = 0;
    Pointer pointer{};
  };

  static Result<Part> Place(std::string_view inside);

  std::vector<Part> parts_;
};

struct MappingOptions {
  std::string origin = "{topic}";
  std::string type = "{key}";
  std::vector<std::string> values{};  // "/pointer" or "name=/pointer"; none: all there are
  std::string timestamp{};            // a pointer; empty: when the message came
  std::string timestamp_format = "auto";
  std::string utc_offset{};
};

// A payload that is an object is one event for each value in it, objects within it included: the
// value's name is its path (ENERGY.Power), null is no value, the timestamp's place none of them.
// Any other payload is one event: its value JSON or a text, its name the topic's last level. With
// `values` only those are taken, as far as they are there.
class MessageMapping {
 public:
  static Result<MessageMapping> Create(const MappingOptions& options);

  // The events of a message, without namespace and sender; none where no value is in it. Their
  // timestamp is the payload's, else `arrival_ns`. An Error: this message can never become events.
  [[nodiscard]] Result<std::vector<Event>> Read(std::string_view topic, std::string_view payload,
                                                std::int64_t arrival_ns) const;

 private:
  struct Wanted {
    std::string name;
    Pointer pointer;
  };
  struct Value {
    std::string name;
    const Json* value;
  };

  MessageMapping(Template origin, Template type, TimeFormat time)
      : origin_(std::move(origin)), type_(std::move(type)), time_(std::move(time)) {}

  [[nodiscard]] std::vector<Value> ValuesOf(const Json& payload, std::string_view topic) const;
  static void AddMembers(const Json& object, const Json* except, std::vector<Value>* values);

  Template origin_;
  Template type_;
  TimeFormat time_;
  std::vector<Wanted> wanted_;
  std::optional<Pointer> timestamp_;
};

}  // namespace collector::client
