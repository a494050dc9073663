#include "ops/cross_entropy.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/cross_entropy.cpp"
#include <hwy/foreach_target.h>
// must come after foreach_target
#include "ops/cpu/simd_math.h"

#include <algorithm>
#include <cmath>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace fathom::cpu::HWY_NAMESPACE {
namespace {

// Of softmax(x * inverse), with y[v] = (x[v] - max) * inverse: log p[v] = (x[v] - log_sum_exp) * inverse. The
// entropy is log(sum e^y) - (sum y e^y) / (sum e^y), whose two terms are not negative.
struct Softmax {
  float log_sum_exp = 0, entropy = 0;
};

// (x - from) * inverse; the usual temperature, 1, costs nothing.
template <bool scaled>
Vec distance(Vec x, Vec from, Vec inverse) {
  const Vec difference = hn::Sub(x, from);
  if constexpr (scaled) return hn::Mul(difference, inverse);
  return difference;
}

// One pass over memory: a block that fits into the L1 cache gives its maximum and then its sums, of e^y and
// of y e^y; the running sums are moved to the new maximum.
template <bool scaled, bool with_entropy>
Softmax softmax(const float* x, int64_t V, float inverse) {
  constexpr int64_t block = 2048;
  const F32 d;
  const Vec vinverse = hn::Set(d, inverse);
  float max = -INFINITY, total = 0, weighted_total = 0;
  for (int64_t begin = 0; begin < V; begin += block) {
    const int64_t n = std::min(block, V - begin);
    Vec high = hn::Set(d, max), sum = hn::Zero(d), weighted = hn::Zero(d);
    for_each_vector(n, [&](int64_t i, auto part)
                           HWY_ATTR { high = hn::Max(high, load(d, x + begin + i, part, -INFINITY)); });
    const float new_max = max_lanes(d, high);
    // Where all were -infinity: the difference of two of them is NaN.
    const Vec vmax = hn::Set(d, std::max(new_max, std::numeric_limits<float>::lowest()));
    for_each_vector(n, [&](int64_t i, auto part) HWY_ATTR {
      const Vec y = distance<scaled>(load(d, x + begin + i, part, -INFINITY), vmax, vinverse);
      const Vec e = exp(d, y);
      sum = hn::Add(sum, e);
      // where e is 0, y may be -infinity
      if constexpr (with_entropy)
        weighted = hn::MulAdd(hn::IfThenZeroElse(hn::Eq(e, hn::Zero(d)), y), e, weighted);
    });
    if (total != 0) {
      const float by = scaled ? (max - new_max) * inverse : max - new_max, factor = std::exp(by);
      if constexpr (with_entropy) weighted_total = factor == 0 ? 0 : (weighted_total + by * total) * factor;
      total *= factor;
    }
    total += sum_lanes(d, sum);
    if constexpr (with_entropy) weighted_total += sum_lanes(d, weighted);
    max = new_max;
  }
  const float log_total = std::log(total);
  return {max + (scaled ? log_total / inverse : log_total),
          with_entropy ? log_total - weighted_total / total : 0};
}

// dlogits = scale * exp((x - lse) * inverse), less scale at the target. dlogits may be x.
template <bool scaled, class T>
void write_gradient(const float* x, float lse, float inverse, int32_t target, float scale, T* dlogits,
                    int64_t V) {
  const F32 d;
  const Vec vlse = hn::Set(d, lse), vinverse = hn::Set(d, inverse), vscale = hn::Set(d, scale);
  const float at_target = scale * (std::exp((x[target] - lse) * inverse) - 1);
  for_each_vector(V, [&](int64_t v, auto part) HWY_ATTR {
    const Vec log_p = distance<scaled>(load(d, x + v, part), vlse, vinverse);
    store(d, hn::Mul(exp(d, log_p), vscale), dlogits + v, part);
  });
  dlogits[target] = T(at_target);
}

template <bool scaled, class T>
void cross_entropy_row(const CrossEntropy& a, int64_t n) {
  const int64_t V = a.logits.cols();
  const int32_t target = a.targets.as<int32_t>()[n];
  const bool ignored = target == CrossEntropy::ignore;
  const float weight = ignored ? 0 : a.weights ? a.weights.as<float>()[n] : 1;
  float& loss = a.losses.as<float>()[n];
  if (weight == 0) {
    loss = 0;
    if (a.entropies) a.entropies.as<float>()[n] = 0;
    if (a.dlogits) std::fill_n(a.dlogits.row<T>(n), V, T(0.0f));
    return;
  }
  const float* x = a.logits.row<float>(n);
  const auto inverse = static_cast<float>(1 / a.temperature);
  const Softmax p =
      a.entropies ? softmax<scaled, true>(x, V, inverse) : softmax<scaled, false>(x, V, inverse);
  loss = weight * ((p.log_sum_exp - x[target]) * inverse);
  if (a.entropies) a.entropies.as<float>()[n] = p.entropy;
  if (!a.dlogits) return;
  const float scale = static_cast<float>(a.scale / a.temperature) * weight;
  write_gradient<scaled>(x, p.log_sum_exp, inverse, target, scale, a.dlogits.row<T>(n), V);
}

}  // namespace

void cross_entropy(Device& device, const CrossEntropy& a) {
  with_dtype<float>("cross_entropy", a.logits.dtype, [&](float) {
    const DType gradient = a.dlogits ? a.dlogits.dtype : DType::f32;
    with_dtype<float, bf16>("cross_entropy", gradient, [&]<class T>(T) {
      const auto row = a.temperature == 1 ? cross_entropy_row<false, T> : cross_entropy_row<true, T>;
      parallel_ranges(device.threads(), a.logits.rows(), 1, [&](int, int64_t begin, int64_t end) {
        for (int64_t n = begin; n < end; ++n) row(a, n);
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
