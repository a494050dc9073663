// Communicator: a group of ranks and what they do together with tensors in the memory of one Device. World
// makes the one of all ranks, split() the groups of a parallel plan (data, expert, pipeline).
//
//   Communicator everyone = world.communicator(device);
//   everyone.run(AllReduce{.x = gradients});
//   Pending rows = experts.start(AllToAll{.out = ..., .out_rows = ..., .in = ..., .in_rows = ...});
//   ...work that does not touch them...
//   rows.wait();
//
// Every rank of the group makes the same calls in the same order, from the thread that made the World. Wrong
// arguments are an Error on the rank that passes them; only World::abort ends the others then.
#pragma once
#include <cstdint>
#include <memory>

#include "comm/backend.h"
#include "comm/collectives.h"
#include "comm/pending.h"
#include "tensor/device.h"

namespace fathom {

class Communicator {
 public:
  // One rank alone, of one process: nothing is sent, and what has a result elsewhere is copied there.
  static Communicator alone(const Device& device);

  // `host`: the same ranks in host memory; null if `backend` itself works there. A Profile of `profiled`,
  // which must outlive this, is told of every collective, those in host memory included.
  explicit Communicator(std::unique_ptr<CommBackend> backend, std::unique_ptr<Communicator> host = nullptr,
                        const Device* profiled = nullptr)
      : backend_(std::move(backend)), host_(std::move(host)), profiled_(profiled) {}

  int rank() const { return backend_->rank(); }
  int size() const { return backend_->size(); }
  // The same ranks and tensors in host memory, for counts and totals; itself on a CPU.
  Communicator& host() { return host_ ? *host_ : *this; }

  // The ranks of this group that pass the same color (not negative), in the order of key, then of rank. Not
  // while a collective is pending.
  Communicator split(int color, int key = 0);
  // Returns when every rank has called it; work that was given to a device may not have run.
  void barrier();

  // Starts a collective; see Pending for what holds until its wait().
  Pending start(const AllReduce& a);
  Pending start(const ReduceScatter& a);
  Pending start(const AllGather& a);
  Pending start(const AllToAll& a);
  Pending start(const Broadcast& a);
  Pending start(const Exchange& a);
  Pending start(const Send& a) { return start(Exchange{.sends = {&a, 1}}); }
  Pending start(const Receive& a) { return start(Exchange{.receives = {&a, 1}}); }

  // The same, and waits.
  template <class Arguments>
  void run(const Arguments& a) {
    start(a).wait();
  }

 private:
  template <class Arguments>
  Pending launch(const char* name, int64_t bytes, const Arguments& a);

  std::unique_ptr<CommBackend> backend_;
  std::unique_ptr<Communicator> host_;
  const Device* profiled_;
};

}  // namespace fathom
