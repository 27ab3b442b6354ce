#include "client/cli_credentials.h"

#include <CLI/CLI.hpp>
#include <array>
#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>

namespace collector::client {
namespace {

constexpr std::size_t kKeyBytesMax = 64;

std::optional<std::string> FromHexadecimal(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  if (text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (; !text.empty(); text.remove_prefix(2)) {
    unsigned byte = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + 2, byte, 16);
    if (error != std::errc() || end != text.data() + 2) return std::nullopt;
    bytes.push_back(static_cast<char>(byte));
  }
  return bytes;
}

Error Wrong(std::string why) { return {ErrorCode::kInvalid, std::move(why)}; }

Result<std::string> ReadKey(const std::string& file, const Environment& environment) {
  std::string text;
  std::string where = "COLLECTOR_PSK_KEY";
  if (!file.empty()) {
    where = "--psk-key-file '" + file + "'";
    std::ifstream stream(file);
    if (!stream) return Wrong(where + ": cannot be read");
    text.assign(std::istreambuf_iterator<char>(stream), {});
  } else if (const char* key = environment("COLLECTOR_PSK_KEY")) {
    text = key;
  }
  if (text.empty()) return Wrong("--psk-identity needs --psk-key-file or COLLECTOR_PSK_KEY");
  auto key = FromHexadecimal(text);
  if (!key.has_value() || key->empty() || key->size() > kKeyBytesMax) {
    return Wrong(where + ": is no key of 1 to 64 bytes in hexadecimal digits");
  }
  return std::move(*key);
}

}  // namespace

void AddCredentials(CLI::App* app, const Environment& environment, CredentialsOptions* options) {
  const auto add = [&](const char* flag, std::string* value, const char* variable,
                       const std::string& text) {
    if (const char* set = environment(variable)) *value = set;
    app->add_option(flag, *value, text + "; also from " + variable);
  };
  Credentials* of = &options->credentials;
  add("--psk-identity", &of->psk_identity, "COLLECTOR_PSK_IDENTITY",
      "With coaps://, by a pre-shared key: who we are");
  app->add_option("--psk-key-file", options->psk_key_file,
                  "File with our key in hexadecimal digits; or the key from COLLECTOR_PSK_KEY");
  add("--server-ca-file", &of->ca_file, "COLLECTOR_SERVER_CA_FILE",
      "With coaps://, by certificates: authorities (PEM) of the collector's; default: the "
      "system's");
  add("--client-certificate-file", &of->certificate_file, "COLLECTOR_CLIENT_CERTIFICATE_FILE",
      "Our certificate chain (PEM)");
  add("--client-key-file", &of->key_file, "COLLECTOR_CLIENT_KEY_FILE", "Its key (PEM)");
}

// Keys are no arguments, because anyone may read those.
Status TakeCredentials(const CredentialsOptions& options, const Environment& environment, bool dtls,
                       Settings* settings) {
  Credentials credentials = options.credentials;
  if (!dtls) {
    if (options.psk_key_file.empty()) return Ok{};
    return Wrong("--psk-key-file needs a host that begins with coaps://");
  }
  const bool certificates = !credentials.certificate_file.empty() ||
                            !credentials.key_file.empty() || !credentials.ca_file.empty();
  if (credentials.psk_identity.empty() && !options.psk_key_file.empty()) {
    return Wrong("--psk-key-file needs --psk-identity");
  }
  if (credentials.psk_identity.empty() && !certificates) {
    return Wrong(
        "coaps:// needs --psk-identity and its key, or --server-ca-file and perhaps "
        "--client-certificate-file");
  }
  if (!credentials.psk_identity.empty() && certificates) {
    return Wrong("--psk-identity and certificates exclude each other");
  }
  if (credentials.certificate_file.empty() != credentials.key_file.empty()) {
    return Wrong("--client-certificate-file and --client-key-file need each other");
  }
  if (!credentials.psk_identity.empty()) {
    auto key = ReadKey(options.psk_key_file, environment);
    if (!key.ok()) return key.error();
    credentials.psk_key = std::move(key).value();
  }
  auto tls = TlsClient::Create(credentials);
  if (!tls.ok()) return tls.error();
  settings->tls = std::move(tls).value();
  return Ok{};
}

}  // namespace collector::client
