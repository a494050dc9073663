// The first half of a reduction: every rank sends each rank the share that this one is to reduce, and reduces
// its own, a piece at a time, in the order of the ranks.
#pragma once
#include <cstddef>
#include <span>
#include <vector>

#include "comm/collectives.h"
#include "comm/limits.h"
#include "comm/mpi/messages.h"

namespace fathom::mpi {

// What the steps of a communicator's operations need of it.
struct Group {
  MPI_Comm comm;
  int rank, size;
  int threads;
  CommLimits limits;
};

class ShareReduction {
 public:
  // `in` is all ranks' shares, contiguous, of so many elements each. `out` has this rank's, and may be those
  // elements of `in`.
  ShareReduction(const Group& group, int tag, const Tensor& out, const ConstTensor& in,
                 std::span<const int64_t> elements, Reduction reduction);

  // Takes the steps that are possible now; true when out is complete and `in` may be written.
  bool advance();

 private:
  void receive_piece();
  void reduce_piece();

  const Group group_;
  const int tag_;
  const Reduction reduction_;
  const DType dtype_;
  std::byte* out_;
  const std::byte* mine_;          // this rank's elements of `in`
  int64_t share_ = 0, piece_ = 0;  // elements
  int64_t begin_ = 0;              // of the piece under way
  bool reduced_ = false;
  Messages sends_, receives_;
  std::vector<std::byte> buffer_;  // a piece of every other rank
};

}  // namespace fathom::mpi
