#include "base/interrupt.h"

#include <atomic>
#include <csignal>

namespace fathom {
namespace {

std::atomic<bool> flag{false};

void on_signal(int signal) {
  flag.store(true);
  std::signal(signal, SIG_DFL);
}

}  // namespace

void catch_interrupts() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  std::signal(SIGUSR1, on_signal);
  if (std::signal(SIGHUP, on_signal) == SIG_IGN) std::signal(SIGHUP, SIG_IGN);
}

void catch_ctrl_c() {
  flag.store(false);
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigaction(SIGINT, &action, nullptr);
}

bool interrupted() {
  return flag.load();
}

}  // namespace fathom
