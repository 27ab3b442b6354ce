#include "collector/store/elasticsearch/saved_objects.h"

#include <map>
#include <sstream>
#include <utility>

#include "collector/base/check.h"

namespace collector {
namespace {

using nlohmann::json;

constexpr std::string_view kEventsPattern = "metrics-coap.events-*";
constexpr std::string_view kDefaultEventsStream = "metrics-coap.events-default";
constexpr std::string_view kBoundary = "coap-collector-6f1d0e5a9c";
constexpr std::size_t kReasonBytesMax = 300;

using Key = std::pair<std::string, std::string>;  // type and id

struct SavedObject {
  Key key;
  std::string name;  // for a person
};

std::string TextAt(const json& value, const char* key) {
  if (!value.is_object()) return {};
  const auto found = value.find(key);
  return found != value.end() && found->is_string() ? found->get<std::string>() : std::string();
}

json MemberAt(const json& value, const char* key) {
  return value.is_object() && value.contains(key) ? value[key] : json();
}

Key KeyOf(const json& object) { return {TextAt(object, "type"), TextAt(object, "id")}; }

std::vector<SavedObject> ObjectsOf(const std::string& bundle) {
  std::vector<SavedObject> objects;
  std::istringstream lines(bundle);
  for (std::string line; std::getline(lines, line);) {
    const json object = json::parse(line, nullptr, false);
    CHECK(object.is_object());
    const Key key = KeyOf(object);
    objects.push_back({key, key.first + " " + TextAt(MemberAt(object, "attributes"), "title")});
  }
  return objects;
}

std::string Multipart(const std::string& bundle) {
  CHECK(bundle.find(kBoundary) == std::string::npos);
  std::string body = "--" + std::string(kBoundary) +
                     "\r\nContent-Disposition: form-data; name=\"file\"; "
                     "filename=\"coap-collector.ndjson\"\r\n"
                     "Content-Type: application/ndjson\r\n\r\n";
  return body + bundle + "\r\n--" + std::string(kBoundary) + "--\r\n";
}

std::string OneLine(std::string text) {
  if (text.size() > kReasonBytesMax) text.resize(kReasonBytesMax);
  for (char& c : text) c = c == '\n' || c == '\r' ? ' ' : c;
  return text;
}

// A failed request for a person.
Error Failure(const std::string& url, const HttpResponse& response) {
  if (response.status == 0) {
    return {ErrorCode::kUnavailable,
            response.error + "; check that Kibana runs and --kibana is it"};
  }
  const std::string said = TextAt(json::parse(response.body, nullptr, false), "message");
  const std::string what = "POST " + url + ": " + std::to_string(response.status) + " " +
                           OneLine(said.empty() ? response.body : said);
  if (response.status == 401) {
    return {ErrorCode::kForbidden, what + "; check the user and password, or the key"};
  }
  if (response.status == 403) {
    return {ErrorCode::kForbidden, what + "; it takes the privilege to manage saved objects"};
  }
  const bool not_now = response.status == 429 || response.status >= 500;
  return {not_now ? ErrorCode::kUnavailable : ErrorCode::kInvalid,
          response.status == 404 ? what + "; check that --kibana is it, with its path" : what};
}

// What an object's error says; a missing reference names itself nowhere else.
std::string Reason(const json& failed) {
  const json error = MemberAt(failed, "error");
  std::string text = TextAt(error, "type");
  if (const std::string message = TextAt(error, "message"); !message.empty()) {
    text += (text.empty() ? "" : ": ") + message;
  }
  for (const json& reference : MemberAt(error, "references")) {
    text += " " + TextAt(reference, "type") + " " + TextAt(reference, "id");
  }
  return OneLine(text.empty() ? failed.dump() : text);
}

class Importer {
 public:
  Importer(const ImportOptions& options, const Exchange& exchange, const Tell& tell)
      : options_(options), exchange_(exchange), tell_(tell), objects_(ObjectsOf(options.bundle)) {}

  Result<bool> Import() {
    const std::string url = options_.url + "/api/saved_objects/_import?overwrite=true";
    const HttpResponse response = Post(
        url, "multipart/form-data; boundary=" + std::string(kBoundary), Multipart(options_.bundle));
    if (response.status != 200) return Failure(url, response);
    const json answer = json::parse(response.body, nullptr, false);
    const json done = MemberAt(answer, "success");
    if (!done.is_boolean()) return NoAnswer(url);
    std::map<Key, std::string> fates;
    for (const json& object : MemberAt(answer, "successResults")) {
      fates[KeyOf(object)] = MemberAt(object, "overwrite") == true ? "updated" : "created";
    }
    std::map<Key, std::string> failures;
    for (const json& object : MemberAt(answer, "errors")) failures[KeyOf(object)] = Reason(object);
    // Before Kibana 7.9 an answer names only what failed.
    const bool lists = answer.contains("successResults") || done == false;
    return TellFates(fates, failures, lists ? "failed: the answer does not name it" : "imported");
  }

  Result<bool> Look() {
    const std::string url = options_.url + "/api/saved_objects/_export";
    json wanted = json::array();
    for (const SavedObject& object : objects_) {
      wanted.push_back({{"type", object.key.first}, {"id", object.key.second}});
    }
    const HttpResponse response = Post(url, "application/json", json{{"objects", wanted}}.dump());
    std::map<Key, std::string> missing;
    if (response.status == 400) {  // names those that are not there
      const json answer = json::parse(response.body, nullptr, false);
      for (const json& object : MemberAt(MemberAt(answer, "attributes"), "objects")) {
        if (MemberAt(MemberAt(object, "error"), "statusCode") == 404) missing[KeyOf(object)] = "";
      }
    }
    if (response.status != 200 && missing.empty()) return Failure(url, response);
    for (const SavedObject& object : objects_) {
      tell_(object.name + (missing.contains(object.key) ? " ... missing" : " ... there"));
    }
    return missing.empty();
  }

 private:
  // The headers say that this is no web page's doing: one for each of the two, which leave the
  // other alone.
  HttpResponse Post(const std::string& url, std::string content_type, std::string body) {
    return exchange_({.method = "POST",
                      .url = url,
                      .content_type = std::move(content_type),
                      .body = std::move(body),
                      .timeout_ms = options_.request_timeout_ms,
                      .headers = {"kbn-xsrf: true", "osd-xsrf: true"}});
  }

  [[nodiscard]] static Error NoAnswer(const std::string& url) {
    return {ErrorCode::kInvalid, "POST " + url + ": this is no answer of Kibana's"};
  }

  bool TellFates(const std::map<Key, std::string>& fates,
                 const std::map<Key, std::string>& failures, const std::string& unnamed) {
    bool all = true;
    for (const SavedObject& object : objects_) {
      const auto failed = failures.find(object.key);
      const auto fate = fates.find(object.key);
      const std::string end = failed != failures.end() ? "failed: " + failed->second
                              : fate != fates.end()    ? fate->second
                                                       : unnamed;
      all = all && !end.starts_with("failed");
      tell_(object.name + " ... " + end);
    }
    return all;
  }

  const ImportOptions& options_;
  const Exchange& exchange_;
  const Tell& tell_;
  const std::vector<SavedObject> objects_;
};

}  // namespace

std::string SavedObjectsFor(const std::string& events_stream) {
  std::string bundle(kSavedObjectsBundle);
  if (events_stream == kDefaultEventsStream) return bundle;
  for (std::size_t at = 0; (at = bundle.find(kEventsPattern, at)) != std::string::npos;) {
    bundle.replace(at, kEventsPattern.size(), events_stream);
    at += events_stream.size();
  }
  return bundle;
}

Result<bool> ImportSavedObjects(const ImportOptions& options, const Exchange& exchange,
                                const Tell& tell) {
  Importer importer(options, exchange, tell);
  return options.change ? importer.Import() : importer.Look();
}

}  // namespace collector
