// One request of a caller that can wait: a check at the start, `collector setup`.
#pragma once

#include <optional>
#include <utility>

#include "collector/base/poller.h"
#include "collector/http/http_client.h"

namespace collector {

// Sends, and runs `poller`, which is the client's and nobody else's, until the response is there.
// The request's own time-out bounds the wait.
inline HttpResponse Perform(HttpClient* client, Poller* poller, HttpRequest request) {
  std::optional<HttpResponse> answer;
  client->Send(std::move(request),
               [&answer](HttpResponse response) { answer = std::move(response); });
  while (!answer) {
    poller->Wait(-1);
    poller->Dispatch();
  }
  return std::move(*answer);
}

}  // namespace collector
