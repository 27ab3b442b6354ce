// Whether the TLS files of an HttpClient's options can be used, known before anything is connected.
#pragma once

#include "collector/base/result.h"
#include "collector/http/http_client_options.h"

namespace collector {

// kConfig, with the file's name: a file that cannot be read, is not PEM, holds no certificate or no
// unencrypted key, or a key that is not the certificate's.
Status CheckTlsFiles(const HttpClientOptions& options);

}  // namespace collector
