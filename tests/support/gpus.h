// How many GPUs the tests can use: without one, those for the cuda backend do not exist.
#pragma once
#if FATHOM_WITH_CUDA
#include <cuda_runtime_api.h>
#endif

namespace fathom::testing {

inline int gpus() {
  int count = 0;
#if FATHOM_WITH_CUDA
  if (cudaGetDeviceCount(&count) != cudaSuccess) count = 0;
#endif
  return count;
}

}  // namespace fathom::testing
