// Split-KV decoding: a context is cut into splits that blocks compute, whose results are combined in order.
#pragma once
#include <functional>

#include "ops/cuda/kernel.cuh"

namespace fathom::cuda {

// How many splits a context has depends on its length and the rule of its op, so results depend neither on
// the batch nor on the GPU.
constexpr int most_splits = 128;  // of any rule
struct SplitRule {
  int min_tokens, max_splits;  // of a split; of a context

  __host__ __device__ int splits_of(int64_t tokens) const {
    const int64_t splits = (tokens + min_tokens - 1) / min_tokens;
    return static_cast<int>(splits < max_splits ? splits : max_splits);
  }
};

// Of one head: the largest score, the sum of exp(score - max), and the output before the division by the sum.
struct SplitResult {
  float *max, *sum, *out;
};
struct SplitResults {
  float* memory;
  SplitRule rule;
  int splits, H, R;  // splits: of the longest context; R: columns of an output

  int64_t floats_per_query() const { return int64_t{splits} * H * (R + 2); }
  __device__ SplitResult at(int64_t n, int split, int h) const {
    float* p = memory + ((n * splits + split) * H + h) * (R + 2);
    return {p, p + 1, p + 2};
  }
};

// For queries n .. n + count - 1 at a time, as many as the workspace is meant to hold results of: `attend`
// computes their splits, then out [N, H, R] becomes their combination. longest: tokens of the longest context
// that there may be.
void attend_in_splits(
    Device& device, const Tensor& out, const Tensor& positions, int64_t longest, const SplitRule& rule,
    const std::function<void(int64_t n, int64_t count, const SplitResults& results)>& attend);

}  // namespace fathom::cuda
