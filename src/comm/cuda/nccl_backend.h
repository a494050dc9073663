// The backend of GPU memory. All of a communicator's work runs in a stream of its own, each operation after
// what the device's stream was given before its start; wait() lets the device's stream wait, never the host.
// NCCL's operations on one communicator run one after another.
#pragma once
#include <cuda_runtime_api.h>

#include "comm/backend.h"
#include "comm/cuda/nccl_library.h"
#include "comm/rows.h"
#include "tensor/arena.h"
#include "tensor/device.h"

namespace fathom::cuda {

class NcclBackend : public CommBackend {
 public:
  // Owns comm.
  NcclBackend(const Device& device, const NcclLibrary& nccl, ncclComm_t comm, int rank, int size);
  ~NcclBackend() override;
  NcclBackend(const NcclBackend&) = delete;
  NcclBackend& operator=(const NcclBackend&) = delete;

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  std::unique_ptr<CommBackend> split(int color, int key) override;

  std::unique_ptr<Operation> start(const AllReduce& a) override;
  std::unique_ptr<Operation> start(const ReduceScatter& a) override;
  std::unique_ptr<Operation> start(const AllGather& a) override;
  std::unique_ptr<Operation> start(const AllToAll& a) override;
  std::unique_ptr<Operation> start(const Broadcast& a) override;
  std::unique_ptr<Operation> start(const Exchange& a) override;

 private:
  class InStream;

  // Lets the stream wait for the device's, calls launch(), and marks the end.
  template <class Launch>
  std::unique_ptr<Operation> in_stream(const Launch& launch);
  // Calls body() as one group of NCCL's: nothing in it waits for another.
  template <class Body>
  void group(const Body& body);
  // Room for the strided rows of the next operation.
  void reserve(int64_t bytes, size_t tensors);
  // Rows without a stride: these very ones, or a place in the room for them; packed() fills it.
  Rows place_of(const Rows& rows);
  ConstRows packed(const ConstRows& rows);
  void copy(const Rows& to, const ConstRows& from);
  // Within a group; rows without a stride.
  void send(const ConstRows& rows, int to);
  void receive(const Rows& rows, int from);
  // Ends what waits for other ranks.
  void abort() noexcept;
  void check_health() const;

  const Device& device_;
  const NcclLibrary nccl_;
  ncclComm_t comm_;
  const int rank_, size_;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t ready_ = nullptr;  // what the device's stream was given before
  Arena packed_;                 // strided rows of one operation
};

}  // namespace fathom::cuda
