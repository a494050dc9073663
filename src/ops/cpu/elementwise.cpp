#include "ops/elementwise.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/elementwise.cpp"
#include <hwy/foreach_target.h>
// must come after foreach_target
#include "ops/cpu/simd_math.h"

#include <algorithm>
#include <numeric>

HWY_BEFORE_NAMESPACE();
namespace fathom::cpu::HWY_NAMESPACE {
namespace {

template <class T>
void add_row(T* stream, const T* x, int64_t C) {
  const F32 d;
  each_vector(C, [&](int64_t c, auto part) HWY_ATTR {
    store(d, hn::Add(load(d, stream + c, part), load(d, x + c, part)), stream + c, part);
  });
}

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

void residual_add(Device& device, const ResidualAdd& a) {
  with_dtype<float, bf16>("residual_add", a.x.dtype, [&]<class T>(T) {
    parallel_ranges(device.threads(), a.x.rows(), 1, [&](int, int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) add_row(a.stream.row<T>(n), a.x.row<T>(n), a.x.cols());
    });
  });
}

// Losses are few: one thread adds them.
void sum(Device&, const Sum& a) {
  with_dtype<float>("sum", a.x.dtype, [&](float) {
    const float* x = a.x.as<float>();
    *a.sum.as<double>() += std::accumulate(x, x + a.x.count(), 0.0);
  });
}

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

namespace {

void scale_range(float* x, float factor, int64_t n) {
  const F32 d;
  const Vec f = hn::Set(d, factor);
  each_vector(
      n, [&](int64_t i, auto part) HWY_ATTR { store(d, hn::Mul(load(d, x + i, part), f), x + i, part); });
}

}  // namespace

void scale(Device& device, const Scale& a) {
  with_dtype<float>("scale", a.x.dtype, [&](float) {
    parallel_ranges(device.threads(), a.x.count(), 1024, [&](int, int64_t begin, int64_t end) {
      scale_range(a.x.as<float>() + begin, static_cast<float>(a.factor), end - begin);
    });
  });
}

}  // namespace fathom::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom::cpu {
FATHOM_SIMD_OP(residual_add, ResidualAdd)
FATHOM_SIMD_OP(sum, Sum)
FATHOM_SIMD_OP(sum_squares, SumSquares)
FATHOM_SIMD_OP(scale, Scale)
}  // namespace fathom::cpu
#endif
