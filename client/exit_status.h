// The client's exit statuses, part of its interface: scripts and jobs branch on them. Where several
// events went different ways the highest counts. `healthcheck` knows only the first two, because
// Docker's HEALTHCHECK does.
#pragma once

namespace collector::client {

inline constexpr int kExitOk = 0;           // everything is stored; healthy
inline constexpr int kExitFailed = 1;       // another failure, told on standard error; unhealthy
inline constexpr int kExitUsage = 2;        // the command line is wrong; nothing was sent
inline constexpr int kExitRefused = 3;      // 4.xx: sending the same event again will not help
inline constexpr int kExitUnavailable = 4;  // 5.xx or 4.29: sending it again later may
inline constexpr int kExitUnanswered = 5;   // no answer: it may be stored or not; send it again
inline constexpr int kExitUnproven = 6;     // load --verify: the store is not as acknowledged

}  // namespace collector::client
