#include "client/replay_state.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "event/event.h"

namespace collector::client {

ReplayState ReadReplayState(const std::string& path) {
  std::ifstream file(path);
  const Json json = Json::parse(file, nullptr, /*allow_exceptions=*/false);
  const bool whole = json.is_object() && json.contains("line") && json.contains("how") &&
                     json["line"].is_number_unsigned() && json["how"].is_string();
  if (!whole) return {};
  return {json["line"].get<std::uint64_t>(), json["how"].get<std::string>()};
}

Status WriteReplayState(const std::string& path, const ReplayState& state) {
  const std::string text = Json({{"line", state.line}, {"how", state.how}}).dump() + "\n";
  const std::string next = path + ".new";
  const int file = open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  const bool written = file >= 0 &&
                       write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       fsync(file) == 0;
  const int error = errno;
  if (file >= 0) close(file);
  if (written && std::rename(next.c_str(), path.c_str()) == 0) return Ok{};
  return Error{ErrorCode::kIo,
               "cannot write " + path + ": " + std::strerror(written ? errno : error)};
}

}  // namespace collector::client
