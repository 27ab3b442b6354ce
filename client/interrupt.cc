#include "client/interrupt.h"

#include <unistd.h>

#include <csignal>
#include <cstring>

namespace collector::client {
namespace {

constexpr int kInterruptedStatus = 130;  // as shells report SIGINT

volatile std::sig_atomic_t interrupted = 0;
volatile std::sig_atomic_t alarm_status = 0;
const char* alarm_message = "";

void OnInterrupt(int /*signal*/) {
  if (interrupted != 0) _exit(kInterruptedStatus);
  interrupted = 1;
}

void OnAlarm(int /*signal*/) {
  if (write(STDERR_FILENO, alarm_message, std::strlen(alarm_message)) < 0) {
    // Nobody to tell: the status must do.
  }
  _exit(alarm_status);
}

void Handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;  // without SA_RESTART: a wait ends
  sigaction(signal, &action, nullptr);
}

}  // namespace

void CatchInterrupts() {
  Handle(SIGINT, OnInterrupt);
  Handle(SIGTERM, OnInterrupt);
}

void IgnoreBrokenPipes() { Handle(SIGPIPE, SIG_IGN); }

bool Interrupted() { return interrupted != 0; }

void ExitAfter(unsigned seconds, int status, const char* message) {
  alarm_status = status;
  alarm_message = message;
  Handle(SIGALRM, OnAlarm);
  alarm(seconds);
}

}  // namespace collector::client
