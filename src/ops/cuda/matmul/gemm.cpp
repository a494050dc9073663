#include "ops/cuda/matmul/gemm.h"

#include "tensor/cuda/context.h"

namespace fathom::cuda {

void gemm(Device& device, const Gemm& g) {
  if (g.M == 0 || g.N == 0 || g.batch == 0) return;
  if (skinny_gemm(device, g) || skinny_mixed_gemm(device, g)) return;
  if (g.K > 0 && device.cuda_context().blas().gemm(g)) return;
  simt_gemm(device, g);
}

}  // namespace fathom::cuda
