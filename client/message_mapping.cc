#include "client/message_mapping.h"

#include <charconv>
#include <utility>

#include "client/value.h"

namespace collector::client {
namespace {

Error Invalid(std::string message) { return {ErrorCode::kInvalid, std::move(message)}; }

std::string Quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

std::vector<std::string_view> Split(std::string_view text) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t slash = std::min(text.find('/', at), text.size());
    parts.push_back(text.substr(at, slash - at));
    at = slash + 1;
  }
  return parts;
}

Result<std::string> Unescape(std::string_view token) {
  std::string out;
  for (std::size_t i = 0; i < token.size(); ++i) {
    if (token[i] != '~') {
      out.push_back(token[i]);
      continue;
    }
    const char code = ++i < token.size() ? token[i] : ' ';
    if (code != '0' && code != '1') return Invalid("~ must be ~0, and / within a name ~1");
    out.push_back(code == '0' ? '~' : '/');
  }
  return out;
}

Result<Pointer> ReadPointer(std::string_view text) {
  Pointer pointer;
  if (text.empty() || text[0] != '/') {
    return Invalid(Quoted(text) + " is no JSON pointer, like /temperature or /sensor/0/value");
  }
  for (const std::string_view token : Split(text.substr(1))) {
    auto name = Unescape(token);
    if (!name.ok()) return Invalid(Quoted(text) + ": " + name.error().message);
    pointer.push_back(std::move(name).value());
  }
  return pointer;
}

std::optional<int> ReadInt(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Null where nothing is at that place.
const Json* Find(const Json& json, const Pointer& pointer) {
  const Json* at = &json;
  for (const std::string& name : pointer) {
    if (at->is_object()) {
      const auto found = at->find(name);
      if (found == at->end()) return nullptr;
      at = &*found;
    } else if (at->is_array()) {
      const auto index = ReadInt(name);
      if (!index.has_value() || *index < 0) return nullptr;
      if (static_cast<std::size_t>(*index) >= at->size()) return nullptr;
      at = &(*at)[static_cast<std::size_t>(*index)];
    } else {
      return nullptr;
    }
  }
  return at;
}

std::string TextOf(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string Joined(const Pointer& pointer) {
  std::string out;
  for (const std::string& name : pointer) out += (out.empty() ? "" : ".") + name;
  return out;
}

std::string_view LastLevel(std::string_view topic) { return topic.substr(topic.rfind('/') + 1); }

}  // namespace

Result<Template> Template::Create(std::string_view text) {
  Template made;
  while (!text.empty()) {
    const std::size_t open = text.find_first_of("{}");
    if (open != 0) made.parts_.push_back({Part::Kind::kText, std::string(text.substr(0, open))});
    if (open == std::string_view::npos) break;
    const std::size_t close = text.find('}', open);
    if (text[open] == '}' || close == std::string_view::npos) {
      return Invalid("a brace is left open in " + Quoted(text));
    }
    auto part = Place(text.substr(open + 1, close - open - 1));
    if (!part.ok()) return part.error();
    made.parts_.push_back(std::move(part).value());
    text.remove_prefix(close + 1);
  }
  if (made.parts_.empty()) return Invalid("'' names nothing");
  return made;
}

Result<Template::Part> Template::Place(std::string_view inside) {
  Part part{Part::Kind::kText, "{" + std::string(inside) + "}"};
  constexpr std::string_view kLevel = "topic[";
  constexpr std::string_view kPointer = "payload/";
  if (inside == "topic" || inside == "payload" || inside == "key") {
    part.kind = inside == "topic" ? Part::Kind::kTopic
                : inside == "key" ? Part::Kind::kKey
                                  : Part::Kind::kPayload;
    return part;
  }
  if (inside.substr(0, kLevel.size()) == kLevel && inside.back() == ']') {
    const auto level = ReadInt(inside.substr(kLevel.size(), inside.size() - kLevel.size() - 1));
    if (level.has_value()) {
      part.kind = Part::Kind::kLevel;
      part.level = *level;
      return part;
    }
  }
  if (inside.substr(0, kPointer.size()) == kPointer) {
    auto pointer = ReadPointer(inside.substr(kPointer.size() - 1));
    if (!pointer.ok()) return pointer.error();
    part.kind = Part::Kind::kPointer;
    part.pointer = std::move(pointer).value();
    return part;
  }
  return Invalid(Quoted(part.text) +
                 " is not {topic}, {topic[0]}, {payload}, {payload/pointer} or {key}");
}

Result<std::string> Template::Fill(const Message& message) const {
  std::string out;
  for (const Part& part : parts_) {
    switch (part.kind) {
      case Part::Kind::kText:
        out += part.text;
        break;
      case Part::Kind::kTopic:
        out += message.topic;
        break;
      case Part::Kind::kPayload:
        out += message.json != nullptr ? TextOf(*message.json) : std::string(message.payload);
        break;
      case Part::Kind::kKey:
        out += message.key;
        break;
      case Part::Kind::kLevel: {
        const auto levels = Split(message.topic);
        const auto count = static_cast<int>(levels.size());
        const int level = part.level < 0 ? count + part.level : part.level;
        if (level < 0 || level >= count) return Invalid("the topic has no level " + part.text);
        out += levels[static_cast<std::size_t>(level)];
        break;
      }
      case Part::Kind::kPointer: {
        const Json* found = message.json == nullptr ? nullptr : Find(*message.json, part.pointer);
        if (found == nullptr || found->is_null()) {
          return Invalid("the payload has no " + part.text);
        }
        out += TextOf(*found);
        break;
      }
    }
  }
  return out;
}

Result<MessageMapping> MessageMapping::Create(const MappingOptions& options) {
  auto origin = Template::Create(options.origin);
  if (!origin.ok()) return Invalid("--origin: " + origin.error().message);
  auto type = Template::Create(options.type);
  if (!type.ok()) return Invalid("--type: " + type.error().message);
  auto time = TimeFormat::Create(options.timestamp_format, options.utc_offset);
  if (!time.ok()) return Invalid("times: " + time.error().message);
  MessageMapping made(std::move(origin).value(), std::move(type).value(), std::move(time).value());
  for (const std::string& value : options.values) {
    const std::size_t equals = value.substr(0, 1) == "/" ? std::string::npos : value.find('=');
    auto pointer = ReadPointer(equals == std::string::npos ? value : value.substr(equals + 1));
    if (!pointer.ok()) return Invalid("--value: " + pointer.error().message);
    const std::string name =
        equals == std::string::npos ? Joined(pointer.value()) : value.substr(0, equals);
    made.wanted_.push_back({name, std::move(pointer).value()});
  }
  if (!options.timestamp.empty()) {
    auto pointer = ReadPointer(options.timestamp);
    if (!pointer.ok()) return Invalid("--timestamp: " + pointer.error().message);
    made.timestamp_ = std::move(pointer).value();
  }
  return made;
}

Result<std::vector<Event>> MessageMapping::Read(std::string_view topic, std::string_view payload,
                                                std::int64_t arrival_ns) const {
  if (payload.empty()) return std::vector<Event>{};
  if (!IsUtf8(topic) || !IsUtf8(payload)) return Invalid("not UTF-8");
  auto json = ParseValue(payload);
  if (!json.ok()) return Invalid("the payload begins like JSON and is none, or is null");
  if (IsDeep(json.value())) {
    return Invalid("the payload is nested more than 64 levels deep");
  }
  std::int64_t timestamp_ns = arrival_ns;
  const Json* time = timestamp_.has_value() ? Find(json.value(), *timestamp_) : nullptr;
  if (time != nullptr && !time->is_null()) {
    const auto read = time_.Read(TextOf(*time));
    if (!read.has_value()) return Invalid("cannot read the time " + Quoted(TextOf(*time)));
    timestamp_ns = *read;
  }
  std::vector<Event> events;
  for (const Value& value : ValuesOf(json.value(), topic)) {
    const Template::Message message{topic, payload, &json.value(), value.name};
    auto origin = origin_.Fill(message);
    if (!origin.ok()) return origin.error();
    auto type = type_.Fill(message);
    if (!type.ok()) return type.error();
    Event event;
    event.origin = std::move(origin).value();
    event.type = std::move(type).value();
    event.value = *value.value;
    event.timestamp_ns = timestamp_ns;
    events.push_back(std::move(event));
  }
  return events;
}

std::vector<MessageMapping::Value> MessageMapping::ValuesOf(const Json& payload,
                                                            std::string_view topic) const {
  std::vector<Value> values;
  for (const Wanted& wanted : wanted_) {
    const Json* found = Find(payload, wanted.pointer);
    if (found != nullptr && !found->is_null()) values.push_back({wanted.name, found});
  }
  if (!wanted_.empty()) return values;
  if (payload.is_object()) {
    AddMembers(payload, timestamp_.has_value() ? Find(payload, *timestamp_) : nullptr, &values);
  } else {
    values.push_back({std::string(LastLevel(topic)), &payload});
  }
  return values;
}

void MessageMapping::AddMembers(const Json& object, const Json* except,
                                std::vector<Value>* values) {
  std::vector<Value> open{{"", &object}};
  while (!open.empty()) {
    const Value outer = std::move(open.back());
    open.pop_back();
    for (const auto& [name, value] : outer.value->items()) {
      if (&value == except || value.is_null()) continue;
      const std::string path = outer.name.empty() ? name : outer.name + "." + name;
      (value.is_object() ? &open : values)->push_back({path, &value});
    }
  }
}

}  // namespace collector::client
