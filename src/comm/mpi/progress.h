// Progress: what moves a rank's operations in host memory on. MPI moves long messages only while somebody
// calls it, and a reduction has steps that follow on arrivals; so whoever waits for one operation moves all
// of them on, of all communicators. That is why ranks may wait in different orders. While nobody waits, a
// helper thread looks after them now and then, beside the rank's own work.
#pragma once
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "comm/backend.h"
#include "comm/mpi/watch.h"

namespace fathom::mpi {

class MpiOperation;

class Progress {
 public:
  Progress() = default;
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // MPI lets more than one thread call it, one at a time.
  void start_helper();

  // Whoever calls MPI has it while operations are under way.
  [[nodiscard]] std::unique_lock<std::mutex> lock() { return std::unique_lock(mutex_); }
  // From here on the operation is under way; the caller has the lock.
  std::unique_ptr<Operation> begin(std::unique_ptr<MpiOperation> operation);
  // Returns when it is done.
  void wait(MpiOperation& operation);
  // It is not under way any more.
  void forget(MpiOperation& operation) noexcept;

  // From here on a wait of that length for ranks that do not take part is an Error that names them. Every
  // rank calls it.
  Watch& watch(double seconds, std::vector<std::string> hosts) {
    return watch_.emplace(seconds, std::move(hosts));
  }
  void end_watch() { watch_.reset(); }
  bool idle() {
    const auto locked = lock();
    return active_.empty();
  }

 private:
  void help();

  std::mutex mutex_;
  std::vector<MpiOperation*> active_;
  std::exception_ptr error_;  // that the helper met
  std::optional<Watch> watch_;

  std::condition_variable wake_;
  bool asleep_ = false, ending_ = false;
  std::thread helper_;
};

class MpiOperation : public Operation {
 public:
  explicit MpiOperation(Progress& progress) : progress_(progress) {}
  MpiOperation(const MpiOperation&) = delete;
  MpiOperation& operator=(const MpiOperation&) = delete;

  void wait() override { progress_.wait(*this); }
  std::optional<Profile::Span> under_way(const Profile&) const override {
    return Profile::Span{begin_, end_};
  }
  // MPI may still read and write the memory; nothing calls it again.
  void abandon() noexcept override { progress_.forget(*this); }

 private:
  friend class Progress;
  // Takes the steps that are possible now, without waiting; true when it is done. `beside`: other work of the
  // rank has the threads.
  virtual bool advance(bool beside) = 0;
  // The same, and notes when that was.
  bool finishes(bool beside) {
    if (!advance(beside)) return false;
    end_ = Profile::HostTime::clock::now();
    return true;
  }

  Progress& progress_;
  const Profile::HostTime begin_ = Profile::HostTime::clock::now();
  Profile::HostTime end_ = begin_;
};

}  // namespace fathom::mpi
