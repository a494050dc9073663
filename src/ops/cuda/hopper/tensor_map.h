// TMA descriptors (tensor maps) of matrices in global memory. Source: CUDA Driver API, "Tensor Map Object
// Management"; CUDA C++ Programming Guide, "Tensor Memory Accelerator".
#pragma once
#include <cuda.h>

#include "tensor/dtype.h"

namespace fathom::cuda {

// A batch of matrices of one shape. Addresses and strides must be multiples of 16 bytes.
struct MatrixBatch {
  DType dtype;  // bf16 or f32
  const void* data;
  int64_t rows, cols, row_stride;        // elements, from one row to the next
  int64_t count = 1, matrix_stride = 0;  // elements, from one matrix to the next
};

// A tensor map whose boxes are `box_rows` rows of 128 bytes in the 128-byte swizzle (wgmma.cuh). A box's
// coordinates are its first column, row and matrix. Elements outside the matrix are loaded as zeros and not
// stored. Error when the driver does not support tensor maps.
CUtensorMap make_tensor_map(const MatrixBatch& m, int box_rows);

}  // namespace fathom::cuda
