// A thread rotates one pair. Angles are in f64: position times frequency loses its fraction in f32.
#include "ops/rope.h"

#include "ops/cuda/kernel.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = 256;
constexpr int max_frequencies = 256;

// Passed by value: the frequencies are in host memory.
struct Frequencies {
  double inv_freq[max_frequencies];
};

__global__ void make_table(float* cos_sin, int64_t stride, const int32_t* positions, Frequencies f, int half,
                           double factor, int64_t N) {
  wait_for_previous_kernel();
  const int64_t i = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (i >= N * half) return;
  const int64_t n = i / half, k = i % half;
  double sin, cos;
  sincos(positions[n] * f.inv_freq[k], &sin, &cos);
  cos_sin[n * stride + 2 * k] = static_cast<float>(cos * factor);
  cos_sin[n * stride + 2 * k + 1] = static_cast<float>(sin * factor);
}

template <class T>
__global__ void rotate(T* x, int64_t x_stride, const float* cos_sin, int64_t table_stride, int64_t rows,
                       int H, int half, float sign, RopePairs pairs) {
  wait_for_previous_kernel();
  const int64_t i = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (i >= rows * half) return;
  const int64_t row = i / half, k = i % half;
  const float* table = cos_sin + row / H * table_stride + 2 * k;
  const float cos = table[0], sin = sign * table[1];
  const bool neighbours = pairs == RopePairs::neighbours;
  T *re = x + row * x_stride + (neighbours ? 2 * k : k), *im = re + (neighbours ? 1 : half);
  const float a = to_float(*re), b = to_float(*im);
  *re = from_float<T>(a * cos - b * sin);
  *im = from_float<T>(a * sin + b * cos);
}

}  // namespace

void rope_table(Device& device, const RopeTable& a) {
  with_dtype<float>("rope_table", a.cos_sin.dtype, [&](float) {
    const int64_t half = a.inv_freq.count(), N = a.cos_sin.rows();
    check(half <= max_frequencies, "rope_table: {} frequencies are more than {}", half, max_frequencies);
    Frequencies f{};
    for (int64_t k = 0; k < half; ++k) f.inv_freq[k] = a.inv_freq.as<double>()[k];
    launch_chained(device, dim3(static_cast<unsigned>(ceil_div(N * half, threads))), threads, 0, make_table,
                   data<float>(a.cos_sin), a.cos_sin.row_stride, data<int32_t>(a.positions), f, half,
                   a.factor, N);
  });
}

void rope(Device& device, const Rope& a) {
  with_dtype<float, bf16>("rope", a.x.dtype, [&]<class T>(T) {
    const int64_t half = a.x.cols() / 2, rows = a.x.rows();
    launch_chained(device, dim3(static_cast<unsigned>(ceil_div(rows * half, threads))), threads, 0,
                   rotate<gpu_t<T>>, data<T>(a.x), a.x.row_stride, data<float>(a.cos_sin),
                   a.cos_sin.row_stride, rows, a.x.shape[1], half, a.inverse ? -1 : 1, a.pairs);
  });
}

}  // namespace fathom::cuda
