#include "client/endpoint.h"

#include <charconv>

namespace collector::client {
namespace {

Error Wrong(std::string_view text, const std::string& why) {
  return {ErrorCode::kInvalid, "host '" + std::string(text) + "': " + why};
}

std::optional<std::uint16_t> ParsePort(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

}  // namespace

Result<Endpoint> ParseEndpoint(std::string_view text) {
  std::string_view rest = text;
  const std::size_t scheme_end = text.find("://");
  const bool uri = scheme_end != std::string_view::npos;
  if (uri) {
    const std::string_view scheme = text.substr(0, scheme_end);
    if (scheme != "coap" && scheme != "coaps") {
      return Wrong(text, "the scheme is coap:// or coaps://");
    }
    rest.remove_prefix(scheme_end + 3);
    if (rest.ends_with('/')) rest.remove_suffix(1);
    if (rest.find_first_of("/?#@") != std::string_view::npos) {
      return Wrong(text, "a URI names host and port only, like coap://edge.example:5683");
    }
  }
  Endpoint endpoint;
  endpoint.dtls = text.starts_with("coaps://");
  std::string_view port;
  if (rest.starts_with('[')) {
    const std::size_t close = rest.find(']');
    if (close == std::string_view::npos) return Wrong(text, "the ']' is missing");
    endpoint.host = rest.substr(1, close - 1);
    port = rest.substr(close + 1);
    if (!port.empty() && (!uri || port.front() != ':')) return Wrong(text, "what follows ']'?");
  } else {
    const std::size_t colon = uri ? rest.find(':') : std::string_view::npos;
    endpoint.host = rest.substr(0, colon);
    if (colon != std::string_view::npos) port = rest.substr(colon);
  }
  if (endpoint.host.empty()) return Wrong(text, "it is empty");
  if (port.size() > 1) {  // "host:" is RFC 3986's, and means the default
    endpoint.port = ParsePort(port.substr(1));
    if (!endpoint.port.has_value()) return Wrong(text, "the port is 1 to 65535");
  }
  return endpoint;
}

}  // namespace collector::client
