// Grouped GEMM: rows sorted by expert, one weight matrix per expert.
#pragma once
#include "ops/cuda/kernel.cuh"

namespace fathom::cuda {

// C (=|+=) A B per expert (forward, input gradient), or A^T B over the rows of each expert (weight
// gradient).
struct GroupedGemm {
  const void *a, *b;
  void* c;
  int64_t a_stride, b_stride, c_stride;              // elements, from one row to the next
  int64_t b_expert_stride = 0, c_expert_stride = 0;  // from one expert's matrix to the next
  int64_t rows, cols, K;  // of C; rows and, for the weight gradient, K are those of all experts together
  const int32_t* offsets;
  int E;
  bool accumulate = false;  // +=; of forward and input gradient by grouped_linear.cu alone
};

// Up to this many rows an expert, on average, tiles of 16 rows are faster than those of 128.
constexpr int64_t most_small_tile_rows = 32;

// With wgmma. bf16, rows aligned to 16 bytes, columns a multiple of 8. b_k_major: the rows of an expert's
// matrix run along K.
void grouped_gemm_wgmma(Device& device, const GroupedGemm& p, bool b_k_major);
void grouped_wgrad_wgmma(Device& device, const GroupedGemm& p);  // K > 0
// The same, forward only, for few rows an expert: reads each touched matrix once. False, with nothing
// launched, where it does not serve.
bool grouped_linear_few_rows(Device& device, const GroupedGemm& p);

}  // namespace fathom::cuda
