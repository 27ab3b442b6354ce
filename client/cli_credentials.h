// The options of coaps://: keys and certificates, from files or the environment, never arguments.
#pragma once

#include <string>

#include "client/commands/command.h"
#include "client/settings.h"

namespace CLI {
class App;
}

namespace collector::client {

struct CredentialsOptions {
  Credentials credentials{};
  std::string psk_key_file{};
};

void AddCredentials(CLI::App* app, const Environment& environment, CredentialsOptions* options);

// Reads what the options name where `dtls` is wanted. Errors: what is missing or does not fit.
Status TakeCredentials(const CredentialsOptions& options, const Environment& environment, bool dtls,
                       Settings* settings);

}  // namespace collector::client
