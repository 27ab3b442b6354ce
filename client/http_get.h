// One HTTP request. The only file with libcurl.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "collector/base/result.h"

namespace collector::client {

struct HttpResponse {
  int status = 0;
  std::string body;
};

// Gets `url` (http or https; redirects are not followed). An Error: no complete response within
// `timeout`, or one over 1 MiB; its message names the host, never the rest of the URL, which may
// hold a key.
Result<HttpResponse> HttpGet(const std::string& url, std::chrono::seconds timeout);

// `text` as part of a URL's query.
std::string UrlEncode(std::string_view text);

}  // namespace collector::client
