// Which rank writes which slice of which tensor of a checkpoint: every element once.
#pragma once
#include <cstdint>
#include <vector>

#include "comm/communicator.h"
#include "io/slice_writer.h"
#include "io/tensor_files.h"

namespace fathom {

struct MappedSlice {
  int64_t tensor, first, count;  // see TensorFiles
  int64_t rank;
};

// The slices of all ranks in the order of their places in the files. Every rank calls it.
std::vector<MappedSlice> map_slices(Communicator& ranks, const std::vector<SliceWriter::Piece>& mine);
// Error naming the tensor where an element is written twice or by nobody.
void check_complete(const TensorFiles& files, const std::vector<MappedSlice>& map);

}  // namespace fathom
