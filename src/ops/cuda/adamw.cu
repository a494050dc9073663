#include "ops/adamw.h"

#include <cmath>

#include "ops/cuda/tensor_list.cuh"
#include "ops/cuda/vec.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = 256;

// The step's constants, computed in f64 and rounded to f32.
struct Settings {
  float lr, beta1, rest1, beta2, rest2, eps, grad_scale, correction1, correction2;
};

// `exact` is the f32 master copy, whose rounded copy is written too, or w itself.
struct Item {
  __nv_bfloat16* rounded;  // null without a master copy
  float *exact, *m, *v;
  const float* grad;
  int64_t count;
  float weight_decay;
  bool vectorized;  // whether all can be accessed eight elements at a time
};

template <class... Tensors>
bool all_aligned_to_16_bytes(const Tensors&... tensors) {
  return (rows_aligned_to_16_bytes(tensors.data, 0) && ...);
}

template <int n>
__device__ void update_some(const Item& t, int64_t i, const Settings& s) {
  const Vec<n> grad = load<n>(t.grad + i), m = load<n>(t.m + i), v = load<n>(t.v + i),
               old = load<n>(t.exact + i);
  Vec<n> first, second, value;
#pragma unroll
  for (int j = 0; j < n; ++j) {
    const float g = grad.v[j] * s.grad_scale;
    first.v[j] = s.beta1 * m.v[j] + s.rest1 * g;
    second.v[j] = s.beta2 * v.v[j] + s.rest2 * g * g;
    const float step =
        first.v[j] * s.correction1 / (sqrtf(second.v[j] * s.correction2) + s.eps) + t.weight_decay * old.v[j];
    value.v[j] = old.v[j] - s.lr * step;
  }
  store(t.m + i, first), store(t.v + i, second), store(t.exact + i, value);
  if (t.rounded) store(t.rounded + i, value);
}

__global__ void update(TensorList<Item> list, Settings s) {
  const auto [t, begin, end] = list.chunk();
  const int64_t vectorized_end = t.vectorized ? end - (end - begin) % vec_width : begin;
  for (int64_t i = begin + threadIdx.x * vec_width; i < vectorized_end; i += threads * vec_width)
    update_some<vec_width>(t, i, s);
  for (int64_t i = vectorized_end + threadIdx.x; i < end; i += threads) update_some<1>(t, i, s);
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
  const auto item = [&](const AdamWTensor& t) {
    with_dtype<float, bf16>("adamw", t.w.dtype, [](auto) {});
    return Item{.rounded = t.master ? data<bf16>(t.w) : nullptr,
                .exact = data<float>(t.master ? t.master : t.w),
                .m = data<float>(t.m),
                .v = data<float>(t.v),
                .grad = data<float>(t.grad),
                .count = t.w.count(),
                .weight_decay = static_cast<float>(a.decay_of(t)),
                .vectorized = all_aligned_to_16_bytes(t.w, t.master, t.m, t.v, t.grad)};
  };
  for_each_list(a.tensors, item, [&](const auto& list, int64_t blocks, int64_t) {
    launch(device, dim3(static_cast<unsigned>(blocks)), threads, 0, update, list, s);
  });
}

}  // namespace fathom::cuda
