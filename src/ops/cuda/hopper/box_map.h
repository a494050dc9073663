// Descriptions of matrices by which the GPU's copy engine (TMA) finds boxes of them. Source: CUDA Driver API,
// "Tensor Map Object Management"; CUDA C++ Programming Guide, "Tensor Memory Accelerator".
#pragma once
#include <cuda.h>

#include "tensor/dtype.h"

namespace fathom::cuda {

// Matrices of one shape. Addresses and strides are multiples of 16 bytes.
struct Matrices {
  DType dtype;  // bf16 or f32
  const void* data;
  int64_t rows, cols, row_stride;        // elements, from one row to the next
  int64_t count = 1, matrix_stride = 0;  // elements, from one matrix to the next
};

// Boxes of `lines` rows of 128 bytes, whose 16-byte chunks are permuted as wgmma.cuh has it. A box's
// coordinates are its first column, row and matrix. What it has outside of the matrix is read as zeros, and
// not written. Error when the driver knows of no such descriptions.
CUtensorMap box_map(const Matrices& m, int lines);

}  // namespace fathom::cuda
