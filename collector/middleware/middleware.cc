#include "collector/middleware/middleware.h"

#include <cstdio>

namespace collector {

std::string ToString(Code code) {
  char text[8];
  const int length = std::snprintf(text, sizeof(text), "%d.%02d", ClassOf(code), DetailOf(code));
  return {text, static_cast<std::size_t>(length)};
}

Handler Chain(const std::vector<Middleware>& middlewares, Handler innermost) {
  Handler handler = std::move(innermost);
  for (auto wrap = middlewares.rbegin(); wrap != middlewares.rend(); ++wrap) {
    handler = (*wrap)(std::move(handler));
  }
  return handler;
}

}  // namespace collector
