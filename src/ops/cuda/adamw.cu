#include "ops/adamw.h"

#include <cmath>

#include "ops/cuda/tensor_list.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = 256;

// The step's constants, in f32 after being worked out in f64.
struct Settings {
  float lr, beta1, rest1, beta2, rest2, eps, grad_scale, correction1, correction2;
};

// `exact` is the master copy, or w itself.
template <class T>
struct Item {
  T* w;
  float *exact, *m, *v;
  const float* grad;
  int64_t count;
  float weight_decay;
};

template <class T>
__global__ void update(TensorList<Item<T>> list, Settings s) {
  const auto [t, begin, end] = list.piece();
#pragma unroll 4
  for (int64_t i = begin + threadIdx.x; i < end; i += threads) {
    const float g = t.grad[i] * s.grad_scale, first = s.beta1 * t.m[i] + s.rest1 * g,
                second = s.beta2 * t.v[i] + s.rest2 * g * g, old = t.exact[i];
    t.m[i] = first, t.v[i] = second;
    const float step = first * s.correction1 / (sqrtf(second * s.correction2) + s.eps) + t.weight_decay * old;
    const float value = old - s.lr * step;
    t.exact[i] = value;
    if constexpr (!std::is_same_v<T, float>) t.w[i] = from_float<T>(value);
  }
}

}  // namespace

void adamw(Device& device, const AdamW& a) {
  const auto power = [&](double beta) { return std::pow(beta, static_cast<double>(a.step)); };
  const Settings s = {.lr = static_cast<float>(a.lr),
                      .beta1 = static_cast<float>(a.beta1),
                      .rest1 = static_cast<float>(1 - a.beta1),
                      .beta2 = static_cast<float>(a.beta2),
                      .rest2 = static_cast<float>(1 - a.beta2),
                      .eps = static_cast<float>(a.eps),
                      .grad_scale = static_cast<float>(a.grad_scale),
                      .correction1 = static_cast<float>(1 / (1 - power(a.beta1))),
                      .correction2 = static_cast<float>(1 / (1 - power(a.beta2)))};
  with_dtype<float, bf16>("adamw", a.tensors[0].w.dtype, [&]<class T>(T) {
    const auto item = [&](const AdamWTensor& t) {
      return Item<gpu_t<T>>{.w = data<T>(t.w),
                            .exact = data<float>(t.master ? t.master : t.w),
                            .m = data<float>(t.m),
                            .v = data<float>(t.v),
                            .grad = data<float>(t.grad),
                            .count = t.w.count(),
                            .weight_decay = static_cast<float>(a.decay_of(t))};
    };
    for_each_list(a.tensors, item, [&](const auto& list, int64_t blocks, int64_t) {
      launch(device, dim3(static_cast<unsigned>(blocks)), threads, 0, update<gpu_t<T>>, list, s);
    });
  });
}

}  // namespace fathom::cuda
