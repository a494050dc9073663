// Progress: the one loop in which a rank waits for others in host memory. MPI moves long messages only while
// somebody calls it, and a reduction has steps that follow on arrivals; so whoever waits for one operation
// moves all of them on, of all communicators. That is why ranks may wait in different orders.
#pragma once
#include <vector>

#include "comm/backend.h"

namespace fathom::mpi {

class MpiOperation;

class Progress {
 public:
  // Returns when the operation is done. A watchdog that ends a run in which nothing moves belongs here.
  void wait(MpiOperation& operation);
  bool idle() const { return active_.empty(); }

 private:
  friend class MpiOperation;
  std::vector<MpiOperation*> active_;
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
