#include "ops/adamw.h"

#include <cmath>

#include "ops/cuda/kernel.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = 256;

struct Settings {
  float lr, beta1, beta2, eps, weight_decay, grad_scale, correction1, correction2;
};

// `exact` is the master copy, or w itself.
template <class T>
__global__ void update(T* w, float* exact, const float* grad, float* m, float* v, int64_t count, Settings s) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (i >= count) return;
  const float g = grad[i] * s.grad_scale, first = s.beta1 * m[i] + (1 - s.beta1) * g,
              second = s.beta2 * v[i] + (1 - s.beta2) * g * g, old = exact[i];
  m[i] = first, v[i] = second;
  const float step = first * s.correction1 / (sqrtf(second * s.correction2) + s.eps) + s.weight_decay * old;
  const float value = old - s.lr * step;
  exact[i] = value;
  if constexpr (!std::is_same_v<T, float>) w[i] = from_float<T>(value);
}

}  // namespace

void adamw(Device& device, const AdamW& a) {
  const auto power = [&](double beta) { return std::pow(beta, static_cast<double>(a.step)); };
  const Settings s = {static_cast<float>(a.lr),
                      static_cast<float>(a.beta1),
                      static_cast<float>(a.beta2),
                      static_cast<float>(a.eps),
                      static_cast<float>(a.weight_decay),
                      static_cast<float>(a.grad_scale),
                      static_cast<float>(1 / (1 - power(a.beta1))),
                      static_cast<float>(1 / (1 - power(a.beta2)))};
  with_dtype<float, bf16>("adamw", a.w.dtype, [&]<class T>(T) {
    const int64_t count = a.w.count();
    launch(device, dim3(static_cast<unsigned>(blocks_for(count, threads))), threads, 0, update<gpu_t<T>>,
           data<T>(a.w), data<float>(a.master ? a.master : a.w), data<float>(a.grad), data<float>(a.m),
           data<float>(a.v), count, s);
  });
}

}  // namespace fathom::cuda
