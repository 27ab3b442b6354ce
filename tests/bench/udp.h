// What the benchmark tools share about UDP and time. They are command-line tools: what fails while
// they start ends the process with one line on stderr.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <string>

namespace bench {

// Ends the process with exit code 1 after printing `what` and the text of errno.
[[noreturn]] void Die(const std::string& what);

// "127.0.0.1:5683", IPv4 and numeric; anything else ends the process with exit code 2.
sockaddr_in ParseAddress(const std::string& text);
std::string ToString(const sockaddr_in& address);

// A UDP socket bound to `local` (port 0: any) with room for a burst of many thousand datagrams.
int OpenUdp(const sockaddr_in& local);

// The address a socket is bound to.
sockaddr_in LocalAddress(int fd);

// Datagrams the kernel dropped because this socket's receive buffer was full.
std::uint64_t KernelDrops(int fd);

// Nanoseconds of the monotonic clock, of the wall clock since the Unix epoch, and of CPU time this
// process has used.
std::int64_t MonotonicNs();
std::int64_t WallNs();
std::int64_t CpuNs();

}  // namespace bench
