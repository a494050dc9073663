#include "ops/cuda/attention/split_kv.cuh"

namespace fathom::cuda {
namespace {

constexpr int64_t max_split_bytes = 128 << 20;  // of partial results: more queries run in several batches

// Combines the splits: their outputs weighted by exp(max - largest max), divided by the sum over all. A block
// takes some columns of a head.
constexpr int combine_threads = 128;
template <class T>
__global__ void combine_splits(T* out, int64_t stride, SplitResults results, const int32_t* positions) {
  wait_for_previous_kernel();
  __shared__ float weights[most_splits], total;
  const int64_t n = blockIdx.x;
  const int h = blockIdx.y, splits = results.rule.splits_of(positions[n] + 1);
  if (threadIdx.x < warp_size) {
    float max = -INFINITY, sum = 0;
    for (int i = threadIdx.x; i < splits; i += warp_size) max = fmaxf(max, *results.at(n, i, h).max);
    max = warp_max(max);
    for (int i = threadIdx.x; i < splits; i += warp_size) {
      const SplitResult split = results.at(n, i, h);
      weights[i] = expf(*split.max - max);
      sum += weights[i] * *split.sum;
    }
    sum = warp_sum(sum);
    if (threadIdx.x == 0) total = sum;
  }
  __syncthreads();
  const int c = blockIdx.z * combine_threads + threadIdx.x;
  if (c >= results.R) return;
  float sum = 0;
#pragma unroll 16
  for (int i = 0; i < splits; ++i) sum += weights[i] * results.at(n, i, h).out[c];
  out[(n * results.H + h) * stride + c] = from_float<T>(sum / total);
}

}  // namespace

void attend_in_splits(
    Device& device, const Tensor& out, const Tensor& positions, int64_t longest, const SplitRule& rule,
    const std::function<void(int64_t n, int64_t count, const SplitResults& results)>& attend) {
  const int64_t N = out.shape[0], H = out.shape[1], R = out.cols();
  if (N == 0) return;
  SplitResults results{nullptr, rule, rule.splits_of(longest), static_cast<int>(H), static_cast<int>(R)};
  const int64_t bytes = results.floats_per_query() * static_cast<int64_t>(sizeof(float)),
                batch = std::clamp<int64_t>(max_split_bytes / bytes, 1, N);
  results.memory = static_cast<float*>(device.cuda_context().workspace(static_cast<size_t>(batch * bytes)));
  for (int64_t n = 0; n < N; n += batch) {
    const int64_t count = std::min(batch, N - n);
    attend(n, count, results);
    const dim3 grid(static_cast<unsigned>(count), static_cast<unsigned>(H),
                    static_cast<unsigned>(ceil_div(R, combine_threads)));
    with_dtype<float, bf16>("combine_splits", out.dtype, [&]<class T>(T) {
      launch_chained(device, grid, combine_threads, 0, combine_splits<gpu_t<T>>,
                     data<T>(out) + n * H * out.row_stride, out.row_stride, results,
                     data<int32_t>(positions) + n);
    });
  }
}

}  // namespace fathom::cuda
