#include "ops/cpu/sample_log_prob.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/sample_log_prob.cpp"
#include <hwy/foreach_target.h>
// must come after foreach_target
#include "ops/cpu/simd_math.h"

#include <algorithm>
#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace fathom::cpu::HWY_NAMESPACE {
namespace {

// The sum of exp((x - best) * inverse) over n numbers that are at most `best`. Short blocks are summed in
// f32. The factor is in two parts: rounded, it would move all exponents the same way.
double sum_of_exponentials(const float* x, int64_t n, float best, double inverse) {
  constexpr int64_t block = 256;
  constexpr double lowest = -100;  // whose exponential is 0 here; keeps minus infinity out of the products
  const F32 d;
  const auto high = static_cast<float>(inverse), low = static_cast<float>(inverse - high);
  const Vec vbest = hn::Set(d, best), vhigh = hn::Set(d, high), vlow = hn::Set(d, low),
            floor = hn::Set(d, static_cast<float>(lowest / inverse));
  double total = 0;
  for (int64_t begin = 0; begin < n; begin += block) {
    Vec sum = hn::Zero(d);
    for_each_vector(std::min(block, n - begin), [&](int64_t i, auto part) HWY_ATTR {
      const Vec distance = hn::Max(hn::Sub(load(d, x + begin + i, part, -INFINITY), vbest), floor);
      sum = hn::Add(sum, exp(d, hn::MulAdd(distance, vlow, hn::Mul(distance, vhigh))));
    });
    total += sum_lanes(d, sum);
  }
  return total;
}

// The most likely token is not in the sum of the others: near 0 the result keeps its digits.
double log_prob(const float* logits, int64_t V, int64_t id, int64_t best, double temperature) {
  constexpr double most = 1e30;  // and its inverse are f32
  const double inverse = std::clamp(1 / temperature, 1 / most, most);
  const float largest = logits[best];
  const double others = sum_of_exponentials(logits, best, largest, inverse) +
                        sum_of_exponentials(logits + best + 1, V - best - 1, largest, inverse);
  return (static_cast<double>(logits[id]) - largest) * inverse - std::log1p(others);
}

}  // namespace
}  // namespace fathom::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom::cpu {

HWY_EXPORT(log_prob);

double sample_log_prob(const float* logits, int64_t V, int64_t id, int64_t best, double temperature) {
  level();
  return HWY_DYNAMIC_DISPATCH(log_prob)(logits, V, id, best, temperature);
}

}  // namespace fathom::cpu
#endif
