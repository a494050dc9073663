#include "ops/cross_entropy.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/cross_entropy.cpp"
#include <hwy/foreach_target.h>
// must come after foreach_target
#include "ops/cpu/simd_math.h"

#include <algorithm>
#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace fathom::cpu::HWY_NAMESPACE {
namespace {

// One pass over memory: a block that fits into the L1 cache gives its maximum and then its sum; the running
// sum is rescaled to the new maximum.
float log_sum_exp(const float* x, int64_t V) {
  constexpr int64_t block = 2048;
  const F32 d;
  float max = -INFINITY, total = 0;
  for (int64_t begin = 0; begin < V; begin += block) {
    const int64_t n = std::min(block, V - begin);
    Vec high = hn::Set(d, max), sum = hn::Zero(d);
    for_each_vector(n, [&](int64_t i, auto part)
                           HWY_ATTR { high = hn::Max(high, load(d, x + begin + i, part, -INFINITY)); });
    const float new_max = max_lanes(d, high);
    const Vec vmax = hn::Set(d, new_max);
    for_each_vector(n, [&](int64_t i, auto part) HWY_ATTR {
      sum = hn::Add(sum, exp(d, hn::Sub(load(d, x + begin + i, part, -INFINITY), vmax)));
    });
    if (total != 0) total *= std::exp(max - new_max);
    total += sum_lanes(d, sum);
    max = new_max;
  }
  return max + std::log(total);
}

// dlogits = scale * exp(x - lse), less scale at the target. dlogits may be x.
template <class T>
void write_gradient(const float* x, float lse, int32_t target, float scale, T* dlogits, int64_t V) {
  const F32 d;
  const Vec vlse = hn::Set(d, lse), vscale = hn::Set(d, scale);
  const float at_target = scale * (std::exp(x[target] - lse) - 1);
  for_each_vector(V, [&](int64_t v, auto part) HWY_ATTR {
    store(d, hn::Mul(exp(d, hn::Sub(load(d, x + v, part), vlse)), vscale), dlogits + v, part);
  });
  dlogits[target] = T(at_target);
}

template <class T>
void cross_entropy_row(const CrossEntropy& a, int64_t n) {
  const int64_t V = a.logits.cols();
  const int32_t target = a.targets.as<int32_t>()[n];
  float& loss = a.losses.as<float>()[n];
  if (target == CrossEntropy::ignore) {
    loss = 0;
    if (a.dlogits) std::fill_n(a.dlogits.row<T>(n), V, T(0.0f));
    return;
  }
  const float* x = a.logits.row<float>(n);
  const float lse = log_sum_exp(x, V);
  loss = lse - x[target];
  if (a.dlogits) write_gradient(x, lse, target, static_cast<float>(a.scale), a.dlogits.row<T>(n), V);
}

}  // namespace

void cross_entropy(Device& device, const CrossEntropy& a) {
  with_dtype<float>("cross_entropy", a.logits.dtype, [&](float) {
    const DType gradient = a.dlogits ? a.dlogits.dtype : DType::f32;
    with_dtype<float, bf16>("cross_entropy", gradient, [&]<class T>(T) {
      parallel_ranges(device.threads(), a.logits.rows(), 1, [&](int, int64_t begin, int64_t end) {
        for (int64_t n = begin; n < end; ++n) cross_entropy_row<T>(a, n);
      });
    });
  });
}

}  // namespace fathom::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom::cpu {
FATHOM_SIMD_OP(cross_entropy, CrossEntropy)
}  // namespace fathom::cpu
#endif
