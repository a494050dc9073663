// The arithmetic of reductions in host memory.
#pragma once
#include <cstdint>
#include <span>

#include "comm/collectives.h"
#include "tensor/dtype.h"

namespace fathom {

// out[i] = ((parts[0][i] op parts[1][i]) op parts[2][i]) ... for i < n, in f32 where the type is bf16,
// rounded once. out may be one of the parts. The bits do not depend on the number of threads.
void reduce_in_order(DType dtype, Reduction reduction, void* out, std::span<const void* const> parts,
                     int64_t n, int threads);

}  // namespace fathom
