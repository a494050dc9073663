// WatchThread: looks after the other ranks (Watch) while this rank's thread is where it cannot: in a wait for
// its GPU, or in a call of NCCL's.
#pragma once
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "comm/mpi/progress.h"
#include "tensor/wait_listener.h"

namespace fathom::mpi {

class WatchThread : public WaitListener {
 public:
  // on_hang gets the message that names the rank at fault; it ends this process.
  WatchThread(Progress& progress, Watch& watch, std::function<void(const std::string&)> on_hang);
  ~WatchThread() override;
  WatchThread(const WatchThread&) = delete;
  WatchThread& operator=(const WatchThread&) = delete;

  void wait_begins() override;
  void wait_ends() override;

 private:
  void run();

  Progress& progress_;
  Watch& watch_;
  const std::function<void(const std::string&)> on_hang_;
  std::mutex mutex_;  // of all below, and of the watch while waits_ > 0
  std::condition_variable end_;
  int waits_ = 0;
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace fathom::mpi
