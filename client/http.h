// HTTP requests, one at a time. The only file with libcurl.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "collector/base/result.h"

namespace collector::client {

struct HttpRequest {
  std::string method = "GET";
  std::string url;                 // http or https; redirects are not followed
  std::string body = {};           // JSON; empty: none
  std::string authorization = {};  // the header's value; empty: none
  std::string ca_file = {};        // PEM; empty: the system's
  std::chrono::seconds timeout{10};
  std::size_t answer_bytes_max = 1 << 20;
};

struct HttpResponse {
  int status = 0;
  std::string body;
};

// An Error: no complete response within the timeout, or one that is too large; its message names
// the host, never the rest of the URL, which may hold a key.
Result<HttpResponse> Ask(const HttpRequest& request);

// `text` as part of a URL's query.
std::string UrlEncode(std::string_view text);

// As an Authorization header wants it.
std::string Base64(std::string_view bytes);

}  // namespace collector::client
