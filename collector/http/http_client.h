// The seam to HTTP servers: requests in, responses out, without waiting. Behind it is libcurl, or
// a test's script.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace collector {

struct HttpRequest {
  std::string method = "GET";
  std::string url = {};           // absolute, without credentials: those are the client's own
  std::string content_type = {};  // empty: no body
  std::string body = {};
  std::int64_t timeout_ms = 30'000;       // from start to the response's last byte
  std::vector<std::string> headers = {};  // further ones: "name: value"
};

struct HttpResponse {
  int status = 0;     // 0: none came, or not all of it; `error` says why
  std::string error;  // one line for a person, with the URL and the cause
  std::string body;
  std::string request_body;  // handed back, so that its memory and content can be used again
};

// One thread: the loop's.
class HttpClient {
 public:
  using OnResponse = std::function<void(HttpResponse response)>;

  // What is still under way is given up, and its OnResponse is not called.
  virtual ~HttpClient() = default;

  // Calls `on_response` exactly once, never within this call. A response that did not come, or was
  // cut short, says nothing of whether the server took the request.
  virtual void Send(HttpRequest request, OnResponse on_response) = 0;
};

}  // namespace collector
