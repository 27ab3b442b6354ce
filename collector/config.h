// The collector's configuration: flag > environment (COLLECTOR_...) > file (--config, TOML) >
// default.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "collector/base/log.h"
#include "collector/base/result.h"
#include "collector/base/socket_address.h"
#include "collector/coap/dtls_sessions.h"
#include "collector/http/page.h"
#include "collector/store/elasticsearch/elasticsearch_options.h"

namespace collector {

struct Config {
  std::vector<SocketAddress> coap_listen;
  std::vector<SocketAddress> coaps_listen;  // none: there are no keys
  DtlsOptions dtls;                         // without the seed
  SocketAddress http_listen;
  std::string http_token;  // or its file, or neither: nothing is asked for
  std::string http_token_file;
  std::string store = "sqlite";
  std::string sqlite_path = "events.db";
  ElasticsearchOptions elasticsearch;

  bool page = true;
  PageOptions page_limits;  // without the path

  int processes = 1;

  std::size_t pending_events_max = 16'384;
  std::size_t pending_bytes_max = 16'777'216;
  std::size_t batch_events_max = 8'192;
  std::size_t payload_bytes_max = 4'096;
  std::size_t body_bytes_max = 65'536;
  std::size_t bodies_max = 64;
  std::size_t dedup_entries_max = 262'144;
  std::size_t receive_buffer_bytes = 8'388'608;
  std::uint32_t requests_per_second_per_peer_max = 0;
  bool content_format_required = false;
  bool require_echo = false;
  std::string access_file;  // empty: everybody may write everything
  int drain_timeout_seconds = 20;

  std::string log_level = "info";
  LogFormat log_format = LogFormat::kAuto;
  int log_requests_per_second_max = 100;

  int request_metrics_per_second_max = 50;
  std::string replica;  // never empty once parsed
};

// How `collector setup` goes about it.
enum class SetupMode : std::uint8_t {
  kApply,   // installs what is missing or differs
  kCheck,   // only says what is missing or differs
  kDryRun,  // only prints the requests, without a network
};

// What the command line asked for: to serve with a configuration, to set an engine up with it, or
// to print a text and end.
struct Invocation {
  Config config;
  std::optional<SetupMode> setup;
  std::string kibana_url;            // for setup; empty: no Kibana
  std::optional<std::string> print;  // --help, --version, --print-config, --check-config
};

using Environment = std::function<const char*(const char* name)>;

// `arguments` without the program's name. Errors are kConfig, one line naming field and value.
Result<Invocation> ParseConfig(const std::vector<std::string>& arguments,
                               const Environment& environment);

}  // namespace collector
