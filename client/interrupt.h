// Ctrl-C and SIGTERM. The only file with process-wide state, because signals are process-wide.
#pragma once

namespace collector::client {

// From here on the first SIGINT or SIGTERM is only noted and the second ends the process at once.
// (Done for every command: as a container's first process we have no default disposition.)
void CatchInterrupts();

// From here on writing to a connection that its peer has closed is an error, and not the end.
void IgnoreBrokenPipes();

// True once a signal was noted.
bool Interrupted();

// Ends the process with `status` after `seconds` of wall time, whatever it is waiting for.
// `message` (a literal with its newline) goes to standard error.
void ExitAfter(unsigned seconds, int status, const char* message);

}  // namespace collector::client
