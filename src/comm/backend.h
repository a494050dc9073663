// What a backend of comm/ does. Arguments have been checked (communicator.cpp). Only comm/ itself and its
// tests look behind this file.
#pragma once
#include <memory>
#include <optional>

#include "comm/collectives.h"
#include "tensor/profile.h"

namespace fathom {

class Operation {
 public:
  virtual ~Operation() = default;
  virtual void wait() = 0;
  // It will never be waited for, and the process is about to end.
  virtual void abandon() noexcept = 0;

  // After wait(): from when it began to travel until it was done, where that is known.
  virtual std::optional<Profile::Span> under_way(const Profile&) const { return std::nullopt; }
};

class CommBackend {
 public:
  virtual ~CommBackend() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual std::unique_ptr<CommBackend> split(int color, int key) = 0;

  // Null when it is done already.
  virtual std::unique_ptr<Operation> start(const AllReduce& a) = 0;
  virtual std::unique_ptr<Operation> start(const ReduceScatter& a) = 0;
  virtual std::unique_ptr<Operation> start(const AllGather& a) = 0;
  virtual std::unique_ptr<Operation> start(const AllToAll& a) = 0;
  virtual std::unique_ptr<Operation> start(const Broadcast& a) = 0;
  virtual std::unique_ptr<Operation> start(const Exchange& a) = 0;
};

}  // namespace fathom
