#include "collector/store/elasticsearch/installation.h"

#include <array>

namespace collector {
namespace {

using nlohmann::json;

constexpr std::size_t kReasonBytesMax = 300;

struct Stream {
  std::string name;
  json (*index_template)(const Engine& engine, const std::string& stream);
};

std::array<Stream, 2> Streams(const std::string& events_stream) {
  return {Stream{events_stream, EventsTemplate}, Stream{kRequestsStream, RequestsTemplate}};
}

std::string Text(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

void Compare(const std::string& path, const json& wanted, const json& installed,
             std::vector<std::string>* differences) {
  if (wanted.is_object() && installed.is_object()) {
    for (const auto& [key, value] : wanted.items()) {
      const std::string inner = path.empty() ? key : path + "." + key;
      const auto found = installed.find(key);
      if (found == installed.end()) {
        differences->push_back(inner + ": missing, wanted " + Text(value));
      } else {
        Compare(inner, value, *found, differences);
      }
    }
  } else if (Text(wanted) != Text(installed)) {
    differences->push_back(path + ": " + Text(installed) + ", wanted " + Text(wanted));
  }
}

// The member below `path`, or null.
json At(const json& value, const std::vector<std::string>& path) {
  const json* at = &value;
  for (const std::string& key : path) {
    if (!at->is_object() || !at->contains(key)) return nullptr;
    at = &(*at)[key];
  }
  return *at;
}

// What the engine says of why it refused, in one line.
std::string ReasonOf(const std::string& body) {
  const json answer = json::parse(body, nullptr, false);
  const json reason = At(answer, {"error", "reason"});
  const json error = At(answer, {"error"});
  std::string text = reason.is_string()  ? Text(At(answer, {"error", "type"})) + " " + Text(reason)
                     : error.is_string() ? Text(error)
                                         : body;
  text = text.substr(0, kReasonBytesMax);
  for (char& c : text) c = c == '\n' || c == '\r' ? ' ' : c;
  return text;
}

class Installer {
 public:
  Installer(const InstallOptions& options, const Exchange& exchange, const Tell& tell)
      : options_(options), engine_(options.engine), exchange_(exchange), tell_(tell) {}

  Result<bool> Run() {
    for (const Stream& stream : Streams(options_.events_stream)) {
      if (Status done = Lifecycle(stream.name); !done.ok()) return done.error();
      // Not before: the template names the policy where the engine offers policies.
      const json index_template = stream.index_template(engine_, stream.name);
      if (Status done = Template(stream.name, index_template); !done.ok()) return done.error();
      const json mappings = At(index_template, {"template", "mappings"});
      if (Status done = DataStream(stream.name, mappings); !done.ok()) return done.error();
    }
    return as_wanted_;
  }

 private:
  HttpResponse Request(const std::string& method, const std::string& path, const json& body = {}) {
    return exchange_({.method = method,
                      .url = options_.url + path,
                      .content_type = body.is_null() ? "" : "application/json",
                      .body = body.is_null() ? "" : body.dump(),
                      .timeout_ms = options_.request_timeout_ms});
  }

  [[nodiscard]] Error Failure(const std::string& method, const std::string& path,
                              const HttpResponse& response) const {
    return RequestFailure(method, options_.url + path, response);
  }

  [[nodiscard]] Error NoAnswer(const std::string& path) const {
    return {ErrorCode::kUnavailable,
            "GET " + options_.url + path + ": this is not an answer of the engine"};
  }

  // An object that is not as wanted: put where changes are wanted, else only told.
  Status Put(const std::string& object, const std::string& path, const json& body, bool missing) {
    if (!options_.change) {
      as_wanted_ = false;
      tell_(object + (missing ? " ... missing" : " ... differs"));
      return Ok{};
    }
    const HttpResponse response = Request("PUT", path, body);
    if (response.status / 100 != 2) return Failure("PUT", path, response);
    tell_(object + (missing ? " ... created" : " ... updated"));
    return Ok{};
  }

  void TellDifferences(const std::vector<std::string>& differences) {
    for (const std::string& line : differences) tell_("  " + line);
  }

  // A policy that is there is the operator's: how long data is kept is decided in it.
  Status Lifecycle(const std::string& stream) {
    const std::string object = "lifecycle policy " + stream;
    const std::string path = LifecyclePath(engine_.flavor, stream);
    const HttpResponse found = Request("GET", path);
    if (found.status == 404)
      return Put(object, path, LifecyclePolicy(engine_.flavor, stream), true);
    if (found.status == 400 || found.status == 405 || found.status == 410) {
      engine_.lifecycle = false;
      tell_(object + " ... not offered by this engine");
      return Ok{};
    }
    if (found.status != 200) return Failure("GET", path, found);
    tell_(object + " ... unchanged");
    return Ok{};
  }

  Status Template(const std::string& stream, const json& wanted) {
    const std::string object = "index template " + stream;
    const std::string path = "/_index_template/" + stream;
    const HttpResponse found = Request("GET", path);
    if (found.status == 404) return Put(object, path, wanted, true);
    if (found.status != 200) return Failure("GET", path, found);
    const json list = At(json::parse(found.body, nullptr, false), {"index_templates"});
    const json installed =
        list.is_array() && !list.empty() ? At(list.front(), {"index_template"}) : json();
    if (!installed.is_object()) return NoAnswer(path);
    const auto differences = Differences(wanted, installed);
    if (differences.empty()) {
      tell_(object + " ... unchanged");
      return Ok{};
    }
    Status put = Put(object, path, wanted, false);
    if (put.ok()) TellDifferences(differences);
    return put;
  }

  Status DataStream(const std::string& stream, const json& mappings) {
    const std::string object = "data stream " + stream;
    const std::string path = "/_data_stream/" + stream;
    const HttpResponse found = Request("GET", path);
    if (found.status == 404) return Put(object, path, nullptr, true);
    if (found.status != 200) return Failure("GET", path, found);
    tell_(object + " ... unchanged");
    const json list = At(json::parse(found.body, nullptr, false), {"data_streams"});
    const json indices = list.is_array() && !list.empty() ? At(list.front(), {"indices"}) : json();
    const json write_index =
        indices.is_array() && !indices.empty() ? At(indices.back(), {"index_name"}) : json();
    if (!write_index.is_string()) return NoAnswer(path);
    return Mapping(stream, mappings, write_index.get<std::string>());
  }

  // The template counts from the next backing index on; the current one gets its new fields here.
  Status Mapping(const std::string& stream, const json& mappings, const std::string& index) {
    const std::string object = "mapping of " + index;
    const std::string get_path = "/" + index + "/_mapping";
    const HttpResponse found = Request("GET", get_path);
    if (found.status != 200) return Failure("GET", get_path, found);
    const json installed = At(json::parse(found.body, nullptr, false), {index, "mappings"});
    if (!installed.is_object()) return NoAnswer(get_path);
    const auto differences = Differences(mappings, installed);
    if (differences.empty()) {
      tell_(object + " ... unchanged");
      return Ok{};
    }
    const std::string path = "/" + stream + "/_mapping?write_index_only=true";
    if (!options_.change) {
      Status told = Put(object, path, mappings, false);
      TellDifferences(differences);
      return told;
    }
    const HttpResponse response = Request("PUT", path, mappings);
    if (response.status == 400) {  // a field's type cannot be changed
      as_wanted_ = false;
      tell_(object + " ... differs until the next rollover, which POST /" + stream +
            "/_rollover does now: " + ReasonOf(response.body));
    } else if (response.status / 100 != 2) {
      return Failure("PUT", path, response);
    } else {
      tell_(object + " ... updated");
    }
    TellDifferences(differences);
    return Ok{};
  }

  const InstallOptions& options_;
  Engine engine_;
  const Exchange& exchange_;
  const Tell& tell_;
  bool as_wanted_ = true;
};

}  // namespace

Result<bool> Install(const InstallOptions& options, const Exchange& exchange, const Tell& tell) {
  return Installer(options, exchange, tell).Run();
}

std::string RequestsText(const Engine& engine, const std::string& events_stream) {
  std::string text;
  const auto put = [&](const std::string& path, const std::string& body) {
    text += (text.empty() ? "PUT " : "\nPUT ") + path + "\n" + body;
  };
  for (const Stream& stream : Streams(events_stream)) {
    put(LifecyclePath(engine.flavor, stream.name),
        LifecyclePolicy(engine.flavor, stream.name).dump(2) + "\n");
    put("/_index_template/" + stream.name,
        stream.index_template(engine, stream.name).dump(2) + "\n");
    put("/_data_stream/" + stream.name, "");
  }
  return text;
}

std::vector<std::string> Differences(const json& wanted, const json& installed) {
  std::vector<std::string> differences;
  Compare("", wanted, installed, &differences);
  return differences;
}

Error RequestFailure(const std::string& method, const std::string& url,
                     const HttpResponse& response) {
  if (response.status == 0) {
    return {ErrorCode::kUnavailable,
            response.error + "; check that the engine runs and --elasticsearch-url names it"};
  }
  std::string message = method;
  message += " " + url + ": " + std::to_string(response.status) + " " + ReasonOf(response.body);
  if (response.status == 401) {
    return {ErrorCode::kForbidden, message + "; check the user and password, or the key"};
  }
  if (response.status == 403) {
    return {ErrorCode::kForbidden,
            message + "; this user or key lacks privileges, see docs/elasticsearch.md"};
  }
  const bool not_now = response.status == 429 || response.status >= 500;
  return {not_now ? ErrorCode::kUnavailable : ErrorCode::kInvalid, message};
}

}  // namespace collector
