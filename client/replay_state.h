// How far a file was replayed, kept beside it so that the next run goes on there.
#pragma once

#include <cstdint>
#include <string>

#include "collector/base/result.h"

namespace collector::client {

struct ReplayState {
  std::uint64_t line = 0;  // all to here is answered
  std::string how{};       // of what, to whom and how: for another replay `line` means nothing
};

// No such file, or one that is none: line 0.
ReplayState ReadReplayState(const std::string& path);

// Replaces the file whole, durably, or leaves the old one.
Status WriteReplayState(const std::string& path, const ReplayState& state);

}  // namespace collector::client
