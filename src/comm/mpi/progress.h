// Progress: the one loop in which a rank waits for others in host memory. MPI moves long messages only while
// somebody calls it, and a reduction has steps that follow on arrivals; so whoever waits for one operation
// moves all of them on, of all communicators. That is why ranks may wait in different orders.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "comm/backend.h"
#include "comm/mpi/watch.h"

namespace fathom::mpi {

class MpiOperation;

class Progress {
 public:
  // Returns when the operation is done.
  void wait(MpiOperation& operation);
  // From here on a wait of that length for ranks that do not take part is an Error that names them. Every
  // rank calls it.
  void watch(double seconds, std::vector<std::string> hosts) { watch_.emplace(seconds, std::move(hosts)); }
  void end_watch() { watch_.reset(); }
  bool idle() const { return active_.empty(); }

 private:
  friend class MpiOperation;
  std::vector<MpiOperation*> active_;
  std::optional<Watch> watch_;
};

// Active from its construction until it is done.
class MpiOperation : public Operation {
 public:
  explicit MpiOperation(Progress& progress) : progress_(progress) { progress.active_.push_back(this); }
  ~MpiOperation() override;
  MpiOperation(const MpiOperation&) = delete;
  MpiOperation& operator=(const MpiOperation&) = delete;

  void wait() override { progress_.wait(*this); }
  // MPI may still read and write the memory; nothing calls it again.
  void abandon() noexcept override {}

 private:
  friend class Progress;
  // Takes the steps that are possible now, without waiting; true when it is done.
  virtual bool advance() = 0;

  Progress& progress_;
};

}  // namespace fathom::mpi
