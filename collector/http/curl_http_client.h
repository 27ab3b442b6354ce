// HttpClient over libcurl, on the loop's poller. The only collector file with libcurl.
#pragma once

#include <memory>

#include "collector/base/poller.h"
#include "collector/base/result.h"
#include "collector/http/http_client.h"
#include "collector/http/http_client_options.h"

namespace collector {

// Keeps connections open and uses them again; follows no redirect, because credentials would go
// along. A request whose connection was closed under it, before any byte of an answer, is sent
// again by libcurl on a new one. As with any libcurl program, http_proxy, https_proxy and no_proxy
// of the environment count.
class CurlHttpClient : public HttpClient {
 public:
  // kConfig: contradicting options, or a secret or TLS file that cannot be used. Connects nothing.
  // `poller` outlives the client.
  static Result<std::unique_ptr<CurlHttpClient>> Create(const HttpClientOptions& options,
                                                        Poller* poller);
  ~CurlHttpClient() override;  // not from within an OnResponse
  CurlHttpClient(const CurlHttpClient&) = delete;
  CurlHttpClient& operator=(const CurlHttpClient&) = delete;

  void Send(HttpRequest request, OnResponse on_response) override;

 private:
  class Impl;
  explicit CurlHttpClient(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace collector
