#include "ops/cpu/gemm_kernel.h"

namespace fathom::cpu {

const Kernel* bf16_kernel() {
  return nullptr;
}

}  // namespace fathom::cpu
