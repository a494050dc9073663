// Between the files of the experts' products.
#pragma once
#include "ops/cuda/kernel.cuh"

namespace fathom::cuda {

// The three products in the words of a tile.
struct Product {
  const void *a, *b;
  void* c;
  int64_t a_stride, b_stride, c_stride;  // elements, from one row to the next
  int64_t b_expert = 0, c_expert = 0;    // from one expert's matrix to the next
  int64_t rows, cols, depth;             // of C, and of the sums over all experts' shares
  const int32_t* offsets;
  int E;
};

// By Hopper's warpgroup instruction: rows times their expert's matrix, whose rows run along the depth or are
// steps of it; and dw += dout^T x. bf16, all rows at multiples of 16 bytes, columns in eights.
void times_expert_wgmma(Device& device, const Product& p, bool b_along_depth);
void weight_gradient_wgmma(Device& device, const Product& p);

}  // namespace fathom::cuda
