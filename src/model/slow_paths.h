// Which parts of a model run on a GPU's slow kernels because of their sizes.
#pragma once
#include <string>
#include <vector>

#include "model/config.h"
#include "tensor/dtype.h"

namespace fathom {

// One line for each: which sizes, what is slow, and what it costs. Empty for f32, which uses no tensor cores
// at all, and for the sizes of every DeepSeek-V2.
std::vector<std::string> slow_paths(const Config& config, DType dtype);

}  // namespace fathom
