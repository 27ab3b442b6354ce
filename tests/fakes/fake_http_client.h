// An HTTP client that keeps its requests until the test answers them.
#pragma once

#include <deque>
#include <string>
#include <utility>

#include "collector/base/check.h"
#include "collector/http/http_client.h"

namespace collector {

class FakeHttpClient : public HttpClient {
 public:
  struct Sent {
    HttpRequest request;
    OnResponse on_response;
  };

  void Send(HttpRequest request, OnResponse on_response) override {
    sent.push_back({std::move(request), std::move(on_response)});
  }

  // Answer the request at `index`, the oldest is 0.
  void Answer(int status, std::string body, std::size_t index = 0) {
    Respond({.status = status, .error = "", .body = std::move(body), .request_body = ""}, index);
  }
  // No response, or not all of it.
  void Break(std::string error, std::size_t index = 0) {
    Respond({.status = 0, .error = std::move(error), .body = "", .request_body = ""}, index);
  }

  std::deque<Sent> sent;  // not answered yet

 private:
  void Respond(HttpResponse response, std::size_t index) {
    CHECK(index < sent.size());
    Sent answered = std::move(sent[index]);
    sent.erase(sent.begin() + static_cast<std::ptrdiff_t>(index));
    response.request_body = std::move(answered.request.body);
    answered.on_response(std::move(response));
  }
};

}  // namespace collector
