// What ranks do together, as structs of named arguments: every rank of a communicator passes one of the same
// kind to Communicator::run or start, in the same order. A "row" is an entry of a tensor's first dimension;
// of a rank-1 tensor it is an element. A rank whose share has no rows takes part all the same.
//
// Results repeat: the same inputs on as many ranks give the same bits in every call, and every rank gets the
// same bits. In host memory an element is reduced in the order of the ranks, ((x0 + x1) + x2) + ..., whatever
// its place, the size of the tensor and the hosts; bf16 adds up in f32 and is rounded once. NCCL's order
// depends on its version and the machines; it adds bf16 in bf16 and is not asked to: that is an Error.
#pragma once
#include <cstdint>
#include <span>

#include "tensor/tensor.h"

namespace fathom {

enum class Reduction { sum, max };  // max: NaN wins in host memory; unspecified with NCCL

// Rows of each rank, [size]. Empty: as many on every rank. Read by start() only.
using RowCounts = std::span<const int64_t>;

// x = the reduction of every rank's x.
struct AllReduce {
  Tensor x;  // any shape, the same on every rank; contiguous; f32, f64, i32, i64; bf16 see above
  Reduction reduction = Reduction::sum;
};

// out = this rank's rows of the reduction of every rank's `in`. out may be these very rows of `in`, whose
// other rows keep their values.
struct ReduceScatter {
  Tensor out;        // [R of this rank, ...], contiguous; types as in AllReduce
  ConstTensor in;    // [sum of R, ...], contiguous: rank 0's rows first
  RowCounts rows{};  // R
  Reduction reduction = Reduction::sum;
};

// out = every rank's rows. `in` may be this rank's rows of out.
struct AllGather {
  Tensor out;        // [sum of R, ...], contiguous; any type
  ConstTensor in;    // [R of this rank, ...], contiguous
  RowCounts rows{};  // R
};

// Every rank sends other rows to each rank. What rank a says it sends to rank b must be what b expects of a.
struct AllToAll {
  Tensor out;            // [sum of out_rows, ...]: rank 0's rows first; strided rows, any type
  RowCounts out_rows{};  // from each rank
  ConstTensor in;        // [sum of in_rows, ...]: those for rank 0 first; strided rows; apart from out
  RowCounts in_rows{};   // to each rank
};

// x = root's x.
struct Broadcast {
  Tensor x;  // the same shape on every rank; contiguous; any type
  int root = 0;
};

// From one rank to another: tensors of as many rows and one row size, strided rows, any type. Messages
// between two ranks with the same tag (0 to max_tag, such as a micro-batch) arrive in the order they were
// sent; in host memory those with different tags do not wait for one another. NCCL has no tags: both ranks
// must name the same order, and what two ranks send to each other at the same time belongs into one Exchange.
struct Send {
  ConstTensor x;
  int to = 0;
  int tag = 0;
};
struct Receive {
  Tensor x;
  int from = 0;
  int tag = 0;
};
inline constexpr int max_tag = (1 << 20) - 1;

// Several messages at once, none of which waits for another.
struct Exchange {
  std::span<const Send> sends{};
  std::span<const Receive> receives{};
};

}  // namespace fathom
