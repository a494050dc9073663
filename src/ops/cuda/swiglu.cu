#include "ops/swiglu.h"

#include "ops/cuda/vec.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = 256;

template <int n, class T>
__global__ void forward(T* out, int64_t out_stride, const T* gate_up, int64_t stride, int64_t N, int64_t F) {
  wait_for_previous_kernel();
  const int64_t per_row = F / n, i = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (i >= N * per_row) return;
  const int64_t row = i / per_row, f = i % per_row * n;
  const Vec<n> gate = load<n>(gate_up + row * stride + f), up = load<n>(gate_up + row * stride + F + f);
  Vec<n> y;
  for (int j = 0; j < n; ++j) y.v[j] = gate.v[j] / (1 + expf(-gate.v[j])) * up.v[j];
  store(out + row * out_stride + f, y);
}

// With s = sigmoid(gate): d silu = s (1 + gate (1 - s)).
template <int n, class T>
__global__ void backward(T* dgate_up, int64_t d_stride, const T* dout, int64_t out_stride, const T* gate_up,
                         int64_t stride, int64_t N, int64_t F) {
  const int64_t per_row = F / n, i = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (i >= N * per_row) return;
  const int64_t row = i / per_row, f = i % per_row * n;
  const Vec<n> gate = load<n>(gate_up + row * stride + f), up = load<n>(gate_up + row * stride + F + f),
               d = load<n>(dout + row * out_stride + f);
  Vec<n> dgate, dup;
  for (int j = 0; j < n; ++j) {
    const float s = 1 / (1 + expf(-gate.v[j]));
    dup.v[j] = d.v[j] * gate.v[j] * s;
    dgate.v[j] = d.v[j] * up.v[j] * s * (1 + gate.v[j] * (1 - s));
  }
  store(dgate_up + row * d_stride + f, dgate);
  store(dgate_up + row * d_stride + F + f, dup);
}

// Both halves of a row begin where vectorized can.
bool vectorized(const Tensor& half, const Tensor& both) {
  return all_vectorizable(half, both) && half.cols() % vec_width == 0;
}

}  // namespace

void swiglu_forward(Device& device, const SwigluForward& a) {
  with_dtype<float, bf16>("swiglu_forward", a.out.dtype, [&]<class T>(T) {
    with_vec_width(vectorized(a.out, a.gate_up), [&](auto n) {
      launch_chained(device, dim3(static_cast<unsigned>(ceil_div(a.out.count() / n, threads))), threads, 0,
                     forward<n, gpu_t<T>>, data<T>(a.out), a.out.row_stride, data<T>(a.gate_up),
                     a.gate_up.row_stride, a.out.rows(), a.out.cols());
    });
  });
}

void swiglu_backward(Device& device, const SwigluBackward& a) {
  with_dtype<float, bf16>("swiglu_backward", a.dout.dtype, [&]<class T>(T) {
    with_vec_width(vectorized(a.dout, a.gate_up) && vectorizable(a.dgate_up), [&](auto n) {
      launch(device, dim3(static_cast<unsigned>(ceil_div(a.dout.count() / n, threads))), threads, 0,
             backward<n, gpu_t<T>>, data<T>(a.dgate_up), a.dgate_up.row_stride, data<T>(a.dout),
             a.dout.row_stride, data<T>(a.gate_up), a.gate_up.row_stride, a.dout.rows(), a.dout.cols());
    });
  });
}

}  // namespace fathom::cuda
