// optimizer.safetensors of a checkpoint: the moments m.NAME and v.NAME of every trained weight and, of those
// that are not stored in the accumulator's type themselves, the exact copy master.NAME.
#pragma once
#include <vector>

#include "io/checkpoint.h"
#include "model/weights.h"

namespace fathom {

// Of which weights there is a master copy, and its type.
StorageTypes master_types(DType dtype);

// What the file of the whole model holds, in its order.
std::vector<StoredTensor> optimizer_tensors(const Config& config, DType dtype);

// Fills slices of the file's tensors. Those of `without_master` are weights that have no master copy now, as
// slices of master.NAME: older checkpoints hold one of routers, and what is there goes into the weight
// itself. Error naming the tensor where the file is of another model.
void read_optimizer_file(const Device& device, const std::string& path, const Config& config, DType dtype,
                         const std::vector<SliceToRead>& slices,
                         const std::vector<SliceToRead>& without_master);

}  // namespace fathom
