#include "ops/sum_squares.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/sum_squares.cpp"
#include <hwy/foreach_target.h>
// must come after foreach_target
#include "ops/cpu/simd_math.h"

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace fathom::cpu::HWY_NAMESPACE {
namespace {

double squares(const float* x, int64_t n) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> narrow;
  const int64_t L = hn::Lanes(d);
  auto sum = hn::Zero(d), sum2 = hn::Zero(d);
  int64_t i = 0;
  for (; i + 2 * L <= n; i += 2 * L) {
    const auto v = hn::PromoteTo(d, hn::LoadU(narrow, x + i));
    const auto v2 = hn::PromoteTo(d, hn::LoadU(narrow, x + i + L));
    sum = hn::MulAdd(v, v, sum);
    sum2 = hn::MulAdd(v2, v2, sum2);
  }
  double total = hn::GetLane(hn::SumOfLanes(d, hn::Add(sum, sum2)));
  for (; i < n; ++i) total += static_cast<double>(x[i]) * x[i];
  return total;
}

}  // namespace

// The blocks are the same for every number of threads, and so is the order in which their sums are added.
void sum_squares(Device& device, const SumSquares& a) {
  for (const Tensor& t : a.all) {
    with_dtype<float>("sum_squares", t.dtype, [](float) {});
    constexpr int64_t block = 1 << 16;
    const int64_t count = t.count(), blocks = (count + block - 1) / block;
    const float* x = t.as<float>();
    double* sums = static_cast<double*>(device.shared_scratch(blocks * sizeof(double)));
    parallel_ranges(device.threads(), blocks, 1, [&](int, int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b)
        sums[b] = squares(x + b * block, std::min(block, count - b * block));
    });
    for (int64_t b = 0; b < blocks; ++b) *a.sum.as<double>() += sums[b];
  }
}

}  // namespace fathom::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom::cpu {
FATHOM_SIMD_OP(sum_squares, SumSquares)
}  // namespace fathom::cpu
#endif
