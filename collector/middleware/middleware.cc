#include "collector/middleware/middleware.h"

#include <array>
#include <cstdio>

namespace collector {

std::string ToString(Code code) {
  char text[8];
  const int length = std::snprintf(text, sizeof(text), "%d.%02d", ClassOf(code), DetailOf(code));
  return {text, static_cast<std::size_t>(length)};
}

std::string MethodName(Code method) {
  constexpr std::array<std::string_view, 8> kNames{"",       "GET",   "POST",  "PUT",
                                                   "DELETE", "FETCH", "PATCH", "iPATCH"};
  const auto index = static_cast<std::size_t>(method);
  return index < kNames.size() ? std::string(kNames[index]) : ToString(method);
}

Middleware PassOn() {
  return [](Handler next) { return next; };
}

Handler Chain(const std::vector<Middleware>& middlewares, Handler innermost) {
  Handler handler = std::move(innermost);
  for (auto wrap = middlewares.rbegin(); wrap != middlewares.rend(); ++wrap) {
    handler = (*wrap)(std::move(handler));
  }
  return handler;
}

}  // namespace collector
