// Sums go in two steps, over pieces that do not hang on the GPU, so that the same input gives the same bits.
#include "ops/elementwise.h"

#include "ops/cuda/tensor_list.cuh"
#include "ops/cuda/vec.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = 256;

template <int n, class T>
__global__ void add_rows(T* stream, int64_t stream_stride, const T* x, int64_t x_stride, int64_t N,
                         int64_t C) {
  const int64_t per_row = C / n, i = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (i >= N * per_row) return;
  const int64_t row = i / per_row, c = i % per_row * n;
  T* to = stream + row * stream_stride + c;
  Vec<n> sum = load<n>(to);
  const Vec<n> y = load<n>(x + row * x_stride + c);
  for (int j = 0; j < n; ++j) sum.v[j] += y.v[j];
  store(to, sum);
}

__global__ void multiply(float* x, float factor, int64_t count) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * threads;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x; i < count; i += step)
    x[i] *= factor;
}
__global__ void multiply_by_fours(float4* x, float factor, int64_t count) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * threads;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x; i < count; i += step) {
    const float4 v = x[i];
    x[i] = {v.x * factor, v.y * factor, v.z * factor, v.w * factor};
  }
}

// parts[b] = the sum, or of the squares, of a piece.
struct Summed {
  const float* x;
  int64_t count;
};
template <bool squares>
__global__ void partial_sums(double* parts, TensorList<Summed> list) {
  const auto [t, begin, end] = list.piece();
  double sum = 0;
#pragma unroll 8
  for (int64_t i = begin + threadIdx.x; i < end; i += threads) {
    const double v = t.x[i];
    sum += squares ? v * v : v;
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

__global__ void add_parts(double* total, const double* parts, int64_t count) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < count; i += blockDim.x) sum += parts[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) *total += sum;
}

template <bool squares>
void add_up(Device& device, const Tensor& total, std::span<const Tensor> all) {
  int64_t pieces = 0;
  for (const Tensor& x : all) pieces += pieces_of(x.count());
  if (pieces == 0) return;
  auto* parts =
      static_cast<double*>(device.cuda_context().workspace(static_cast<size_t>(pieces) * sizeof(double)));
  const auto item = [](const Tensor& x) { return Summed{data<float>(x), x.count()}; };
  for_each_list(all, item, [&](const auto& list, int64_t blocks, int64_t before) {
    launch(device, dim3(static_cast<unsigned>(blocks)), threads, 0, partial_sums<squares>, parts + before,
           list);
  });
  launch(device, dim3(1), 1024, 0, add_parts, data<double>(total), parts, pieces);
}

}  // namespace

void residual_add(Device& device, const ResidualAdd& a) {
  with_dtype<float, bf16>("residual_add", a.x.dtype, [&]<class T>(T) {
    with_width(all_by_eights(a.stream, a.x), [&](auto n) {
      launch(device, dim3(static_cast<unsigned>(blocks_for(a.x.count() / n, threads))), threads, 0,
             add_rows<n, gpu_t<T>>, data<T>(a.stream), a.stream.row_stride, data<T>(a.x), a.x.row_stride,
             a.x.rows(), a.x.cols());
    });
  });
}

void sum(Device& device, const Sum& a) {
  with_dtype<float>("sum", a.x.dtype, [&](float) { add_up<false>(device, a.sum, {&a.x, 1}); });
}

void sum_squares(Device& device, const SumSquares& a) {
  for (const Tensor& x : a.all) with_dtype<float>("sum_squares", x.dtype, [](float) {});
  add_up<true>(device, a.sum, a.all);
}

void scale(Device& device, const Scale& a) {
  with_dtype<float>("scale", a.x.dtype, [&](float) {
    const int64_t count = a.x.count(), most = 32 * device.cuda_context().multiprocessors();
    const bool fours = count % 4 == 0 && reinterpret_cast<uintptr_t>(a.x.data) % 16 == 0;
    const int64_t items = fours ? count / 4 : count;
    const dim3 grid(static_cast<unsigned>(std::min(most, blocks_for(items, threads))));
    if (fours)
      launch(device, grid, threads, 0, multiply_by_fours, reinterpret_cast<float4*>(a.x.data), a.factor,
             items);
    else
      launch(device, grid, threads, 0, multiply, data<float>(a.x), a.factor, items);
  });
}

}  // namespace fathom::cuda
