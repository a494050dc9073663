// The backend of one process alone: what works in place does nothing, everything else is a copy.
#pragma once
#include "comm/backend.h"
#include "tensor/device.h"

namespace fathom {

class IdentityBackend : public CommBackend {
 public:
  // A GPU, which must outlive this; null for host memory.
  explicit IdentityBackend(const Device* device) : device_(device) {}

  int rank() const override { return 0; }
  int size() const override { return 1; }
  std::unique_ptr<CommBackend> split(int, int) override { return std::make_unique<IdentityBackend>(device_); }

  std::unique_ptr<Operation> start(const AllReduce&) override { return nullptr; }
  std::unique_ptr<Operation> start(const ReduceScatter& a) override { return copy(a.out, a.in); }
  std::unique_ptr<Operation> start(const AllGather& a) override { return copy(a.out, a.in); }
  std::unique_ptr<Operation> start(const AllToAll& a) override { return copy(a.out, a.in); }
  std::unique_ptr<Operation> start(const Broadcast&) override { return nullptr; }
  std::unique_ptr<Operation> start(const Exchange&) override { return nullptr; }

 private:
  std::unique_ptr<Operation> copy(const Tensor& to, const ConstTensor& from);

  const Device* device_;
};

}  // namespace fathom
