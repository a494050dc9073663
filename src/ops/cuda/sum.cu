#include "ops/sum.h"

#include "ops/cuda/sums.cuh"

namespace fathom::cuda {

void sum(Device& device, const Sum& a) {
  with_dtype<float>("sum", a.x.dtype, [&](float) { sum_all<false>(device, a.sum, {&a.x, 1}); });
}

}  // namespace fathom::cuda
