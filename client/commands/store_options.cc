#include "client/commands/store_options.h"

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "client/http.h"
#include "client/stored/elasticsearch_events.h"
#include "client/stored/sqlite_events.h"

namespace collector::client {
namespace {

constexpr const char* kGroup = "Where the collector stores";

struct Secret {
  const char* name;
  const std::string* value;
  const std::string* file;
};

Error Wrong(const std::string& what) { return {ErrorCode::kInvalid, what}; }

Result<std::string> Read(const Secret& secret) {
  if (secret.file->empty()) return *secret.value;
  if (!secret.value->empty()) {
    return Wrong(std::string(secret.name) + ": given both by a file and by the environment");
  }
  std::ifstream file(*secret.file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file.fail()) return Wrong(*secret.file + ": " + std::strerror(errno));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  if (text.empty()) return Wrong(*secret.file + ": is empty");
  return text;
}

}  // namespace

void AddStoreOptions(CLI::App* command, const Environment& environment, StoreOptions* options) {
  const auto add = [&](const char* name, std::string* value, const char* variable,
                       const char* what) {
    const char* preset = environment(variable);
    if (preset != nullptr) *value = preset;
    return command->add_option(name, *value, what)->group(kGroup);
  };
  CLI::Option* const sqlite =
      add("--sqlite", &options->sqlite, "COLLECTOR_SQLITE_PATH", "File of the embedded store");
  CLI::Option* const url = add("--elasticsearch-url", &options->url, "COLLECTOR_ELASTICSEARCH_URL",
                               "Elasticsearch or OpenSearch");
  sqlite->excludes(url);
  add("--elasticsearch-stream", &options->stream, "COLLECTOR_ELASTICSEARCH_STREAM",
      "Its data stream")
      ->capture_default_str();
  add("--elasticsearch-user", &options->user, "COLLECTOR_ELASTICSEARCH_USER",
      "User; the password from the next or COLLECTOR_ELASTICSEARCH_PASSWORD");
  add("--elasticsearch-password-file", &options->password_file,
      "COLLECTOR_ELASTICSEARCH_PASSWORD_FILE", "File with the password");
  add("--elasticsearch-api-key-file", &options->api_key_file,
      "COLLECTOR_ELASTICSEARCH_API_KEY_FILE",
      "File with an API key; also COLLECTOR_ELASTICSEARCH_API_KEY");
  add("--elasticsearch-bearer-file", &options->bearer_file, "COLLECTOR_ELASTICSEARCH_BEARER_FILE",
      "File with a token; also COLLECTOR_ELASTICSEARCH_BEARER");
  add("--elasticsearch-ca-file", &options->ca_file, "COLLECTOR_ELASTICSEARCH_CA_FILE",
      "Certificates (PEM) to trust instead of the system's");
  for (const auto& [value, variable] :
       {std::pair{&options->password, "COLLECTOR_ELASTICSEARCH_PASSWORD"},
        {&options->api_key, "COLLECTOR_ELASTICSEARCH_API_KEY"},
        {&options->bearer, "COLLECTOR_ELASTICSEARCH_BEARER"}}) {
    const char* preset = environment(variable);
    if (preset != nullptr) *value = preset;
  }
  // What is said on the command line is meant, whatever the environment says.
  sqlite->each([options](const std::string&) { options->url.clear(); });
  url->each([options](const std::string&) { options->sqlite.clear(); });
}

Result<std::string> AuthorizationOf(const StoreOptions& options) {
  const Secret secrets[] = {{"the password", &options.password, &options.password_file},
                            {"the API key", &options.api_key, &options.api_key_file},
                            {"the bearer token", &options.bearer, &options.bearer_file}};
  std::string texts[3];
  int given = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    auto text = Read(secrets[i]);
    if (!text.ok()) return text.error();
    texts[i] = std::move(text).value();
    given += texts[i].empty() ? 0 : 1;
  }
  if (given > 1) return Wrong("give one of password, API key and bearer token");
  if (options.user.empty() != texts[0].empty()) {
    return Wrong("a user needs a password, and a password a user");
  }
  if (!texts[0].empty()) return "Basic " + Base64(options.user + ":" + texts[0]);
  if (!texts[1].empty()) {
    const bool plain = texts[1].find(':') != std::string::npos;
    return "ApiKey " + (plain ? Base64(texts[1]) : texts[1]);
  }
  return texts[2].empty() ? std::string() : "Bearer " + texts[2];
}

Result<std::unique_ptr<StoredEvents>> OpenStore(const StoreOptions& options) {
  if (options.sqlite.empty() == options.url.empty()) {
    return Wrong("name the store: --sqlite FILE or --elasticsearch-url URL");
  }
  if (!options.sqlite.empty()) return OpenSqliteEvents(options.sqlite);
  auto authorization = AuthorizationOf(options);
  if (!authorization.ok()) return authorization.error();
  std::string url = options.url.substr(0, options.url.find(','));  // each of them will do
  if (url.ends_with('/')) url.pop_back();
  return OpenElasticsearchEvents({.url = url,
                                  .stream = options.stream,
                                  .authorization = std::move(authorization).value(),
                                  .ca_file = options.ca_file});
}

}  // namespace collector::client
