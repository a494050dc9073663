// The first half of a reduction: every rank sends each rank the share that this one is to reduce, and reduces
// its own in the order of the ranks. It goes in steps of a piece to and from each rank, so that what is
// received needs little memory, and two steps' sends are under way at most.
#pragma once
#include <array>
#include <cstddef>
#include <memory>
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
                 const std::vector<int64_t>& elements, Reduction reduction);

  // Takes the steps that are possible now; true when out is complete and `in` may be written.
  // `beside`: on one thread.
  bool advance(bool beside);

 private:
  // A rank's share of `in`, and its piece of a step. A share without elements is one piece, too.
  ConstRows share(int rank) const;
  int64_t pieces(int rank) const;
  ConstRows piece(int rank, int64_t step) const;

  void send_pieces(int64_t step);
  void receive_pieces(int64_t step);
  void reduce_piece(int64_t step, int threads);

  const Group group_;
  const int tag_;
  const Reduction reduction_;
  const DType dtype_;
  const std::vector<int64_t> begin_;  // of each rank's share in `in`, elements
  const int64_t piece_;               // elements of a piece, but the last of a share
  std::byte* out_;
  const std::byte* in_;
  int64_t step_ = 0, steps_ = 0;
  std::array<Messages, 2> sends_;  // of even and odd steps
  Messages receives_;
  std::unique_ptr<std::byte[]> buffer_;  // a piece of every other rank
};

}  // namespace fathom::mpi
