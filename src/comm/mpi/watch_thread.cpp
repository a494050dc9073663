#include "comm/mpi/watch_thread.h"

#include <chrono>
#include <exception>
#include <utility>

namespace fathom::mpi {
namespace {

constexpr std::chrono::milliseconds pause(50);

}  // namespace

WatchThread::WatchThread(Progress& progress, Watch& watch, std::function<void(const std::string&)> on_hang)
    : progress_(progress), watch_(watch), on_hang_(std::move(on_hang)), thread_([this] { run(); }) {}

WatchThread::~WatchThread() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  end_.notify_one();
  thread_.join();
}

void WatchThread::wait_begins() {
  const std::lock_guard lock(mutex_);
  if (waits_++ == 0) watch_.begin_wait();
}

void WatchThread::wait_ends() {
  const std::lock_guard lock(mutex_);
  --waits_;
}

// Nothing wakes it for a wait: most end before its next look, and cost no more than the lock.
void WatchThread::run() {
  std::unique_lock lock(mutex_);
  while (!end_.wait_for(lock, pause, [this] { return ended_; })) {
    if (waits_ == 0) continue;
    try {
      const auto calls_mpi = progress_.lock();
      watch_.look_now();
    } catch (const std::exception& e) {
      on_hang_(e.what());
    }
  }
}

}  // namespace fathom::mpi
