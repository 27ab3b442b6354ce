#include "collector/supervisor.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>

#include "collector/base/check.h"
#include "collector/base/clock.h"
#include "collector/base/log.h"

namespace collector {
namespace {

// One that ends sooner than this is not started again at once, or it would be for ever.
constexpr std::int64_t kSettledNs = 5 * kNsPerSecond;
constexpr std::int64_t kStartAgainNs = kNsPerSecond;

std::int64_t Now() { return ReadClock().monotonic_ns; }

sigset_t OurSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGCHLD}) sigaddset(&signals, signal);
  return signals;
}

std::string Describe(int wait_status) {
  if (WIFEXITED(wait_status)) return "exit status " + std::to_string(WEXITSTATUS(wait_status));
  return std::string("signal ") + strsignal(WTERMSIG(wait_status));
}

// In the new process: apart from the terminal's signals, which are the supervisor's, and not to
// outlive it.
void BecomeSupervised(pid_t supervisor) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != supervisor) raise(SIGTERM);
}

}  // namespace

Supervisor::Supervisor(std::size_t processes, Serve serve, std::shared_ptr<spdlog::logger> log)
    : serve_(std::move(serve)), log_(std::move(log)), processes_(processes) {}

int Supervisor::Run(Notifier notifier) {
  const sigset_t signals = OurSignals();
  CHECK(sigprocmask(SIG_BLOCK, &signals, nullptr) == 0);
  notifier_ = std::move(notifier);
  if (const std::optional<int> served = StartDue()) return *served;
  const std::string status = std::to_string(processes_.size()) + " processes";
  if (Status told = notifier_.Ready(status); !told.ok()) log_->warn(told.error().message);
  while (!stopping_ || AnyRunning()) {
    const timespec turn{.tv_sec = 0, .tv_nsec = 200 * kNsPerMs};
    const int signal = sigtimedwait(&signals, nullptr, &turn);
    if (signal == SIGINT || signal == SIGTERM) OnSignal(signal);
    Reap();
    notifier_.Tick(Now());
    if (const std::optional<int> served = StartDue()) return *served;
  }
  return status_;
}

// Starts what is not running and may be. In a process that it started, the exit status.
std::optional<int> Supervisor::StartDue() {
  const pid_t supervisor = getpid();
  for (std::size_t i = 0; i < processes_.size() && !stopping_; ++i) {
    Process& process = processes_[i];
    if (process.pid != 0 || Now() < process.start_again_ns) continue;
    const pid_t pid = fork();
    if (pid == 0) {
      BecomeSupervised(supervisor);
      return serve_(i);
    }
    process.started_ns = Now();
    process.start_again_ns = process.started_ns + kStartAgainNs;
    if (pid < 0) {
      log_->error("process {} cannot be started: {}{}", i, std::strerror(errno),
                  Action("process-not-started"));
      continue;
    }
    process.pid = pid;
    log_->info("process {} is {}{}", i, pid, Action("process-started"));
  }
  return std::nullopt;
}

void Supervisor::OnSignal(int signal) {
  if (stopping_) {
    log_->warn("{} again: ending at once{}", strsignal(signal), Action("killed"));
    status_ = 128 + signal;
    return SignalAll(SIGKILL);
  }
  log_->info("{}: stopping {} processes{}", strsignal(signal), processes_.size(),
             Action("draining"));
  stopping_ = true;
  notifier_.Stopping();
  SignalAll(SIGTERM);
}

void Supervisor::Reap() {
  int wait_status = 0;
  for (pid_t pid = 0; (pid = waitpid(-1, &wait_status, WNOHANG)) > 0;) {
    const auto ended = std::find_if(processes_.begin(), processes_.end(),
                                    [pid](const Process& process) { return process.pid == pid; });
    if (ended == processes_.end()) continue;
    OnEnd(static_cast<std::size_t>(ended - processes_.begin()), wait_status);
  }
}

void Supervisor::OnEnd(std::size_t index, int wait_status) {
  Process& process = processes_[index];
  process.pid = 0;
  if (stopping_) {
    if (wait_status != 0)
      log_->warn("process {} ended: {}{}", index, Describe(wait_status), Action("process-ended"));
    if (WIFEXITED(wait_status)) status_ = std::max(status_, WEXITSTATUS(wait_status));
    return;
  }
  const bool settled = Now() - process.started_ns > kSettledNs;
  log_->error("process {} ended: {}{}", index, Describe(wait_status), Action("process-ended"));
  // What it says of itself at the first start (a store that cannot be used, a port that is taken)
  // would be said for ever.
  if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) != 0 && process.first) {
    status_ = WEXITSTATUS(wait_status);
    stopping_ = true;
    return SignalAll(SIGTERM);
  }
  process.first = false;
  if (settled) process.start_again_ns = 0;
}

void Supervisor::SignalAll(int signal) {
  for (const Process& process : processes_) {
    if (process.pid != 0) kill(process.pid, signal);
  }
}

bool Supervisor::AnyRunning() const {
  return std::any_of(processes_.begin(), processes_.end(),
                     [](const Process& process) { return process.pid != 0; });
}

}  // namespace collector
