// Operands of matrix products in global memory.
#pragma once
#include <cstdint>

namespace fathom::cuda {

// Lines of contiguous elements, `stride` elements apart. K-major: a line runs along K, one per row of A or
// column of B; MN-major: a line is a step of K.
template <class T>
struct Operand {
  const T* data;
  int64_t stride;
};

}  // namespace fathom::cuda
