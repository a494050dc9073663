// The backend of host memory: every collective is made of MPI's messages between two ranks, but broadcast.
// MPI's own reductions would add in an order that changes with the size of a message, the number of
// ranks and the hosts they are on.
#pragma once
#include "comm/backend.h"
#include "comm/limits.h"
#include "comm/mpi/progress.h"
#include "comm/mpi/share_reduction.h"

namespace fathom::mpi {

class MpiBackend : public CommBackend {
 public:
  // Owns comm and frees it. `threads` reduce.
  MpiBackend(MPI_Comm comm, Progress& progress, int threads, const CommLimits& limits);
  ~MpiBackend() override;

  int rank() const override { return group_.rank; }
  int size() const override { return group_.size; }
  std::unique_ptr<CommBackend> split(int color, int key) override;

  std::unique_ptr<Operation> start(const AllReduce& a) override;
  std::unique_ptr<Operation> start(const ReduceScatter& a) override;
  std::unique_ptr<Operation> start(const AllGather& a) override;
  std::unique_ptr<Operation> start(const AllToAll& a) override;
  std::unique_ptr<Operation> start(const Broadcast& a) override;
  std::unique_ptr<Operation> start(const Exchange& a) override;

 private:
  int next_tag();

  Group group_{};
  Progress& progress_;
  int64_t collectives_ = 0;  // started so far; the same on every rank
};

}  // namespace fathom::mpi
