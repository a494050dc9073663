// What a run of elements of a weight is in a checkpoint: parts of one or more stored tensors.
#pragma once
#include <string>
#include <vector>

#include "io/slice_writer.h"
#include "model/weights.h"

namespace fathom {

// Appends those of `values` [n], the elements `first` and on of a weight.
void append_stored_slices(std::vector<SliceToRead>& slices, const std::string& prefix, const WeightInfo& info,
                          int64_t first, const Tensor& values);

}  // namespace fathom
