#include "ops/combine.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/moe/combine.cpp"
#include <hwy/foreach_target.h>
// must come after foreach_target
#include "ops/cpu/moe/expert_rows.h"

HWY_BEFORE_NAMESPACE();
namespace fathom::cpu::HWY_NAMESPACE {
namespace {

// drow = weight * dout; returns dout . row. drow may alias row.
template <class T>
float combine_row_backward(const T* dout, const T* row, T* drow, float weight, int64_t C) {
  const F32 d;
  const Vec w = hn::Set(d, weight);
  Vec dot = hn::Zero(d);
  for_each_vector(C, [&](int64_t c, auto part) HWY_ATTR {
    const Vec g = load(d, dout + c, part);
    dot = hn::MulAdd(g, load(d, row + c, part), dot);
    store(d, hn::Mul(w, g), drow + c, part);
  });
  return sum_lanes(d, dot);
}

}  // namespace

void combine(Device& device, const Combine& a) {
  with_dtype<float, bf16>("combine", a.out.dtype, [&]<class T>(T) {
    parallel_ranges(device.threads(), a.out.rows(), 1, [&](int, int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n)
        sum_rows<T>(a.rows, a.row_of.row<int32_t>(n), a.weights ? a.weights.row<float>(n) : nullptr,
                    a.row_of.cols(), a.shared ? a.shared.row<T>(n) : nullptr, a.out.row<T>(n));
    });
  });
}

void combine_backward(Device& device, const CombineBackward& a) {
  with_dtype<float, bf16>("combine_backward", a.dout.dtype, [&]<class T>(T) {
    parallel_ranges(device.threads(), a.dout.rows(), 1, [&](int, int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n)
        for (int64_t k = 0; k < a.row_of.cols(); ++k) {
          const int32_t m = a.row_of.row<int32_t>(n)[k];
          a.dweights.row<float>(n)[k] =
              m == ExpertSort::nowhere
                  ? 0
                  : combine_row_backward(a.dout.row<T>(n), a.rows.row<T>(m), a.drows.row<T>(m),
                                         a.weights.row<float>(n)[k], a.dout.cols());
        }
    });
  });
}

}  // namespace fathom::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom::cpu {
FATHOM_SIMD_OP(combine, Combine)
FATHOM_SIMD_OP(combine_backward, CombineBackward)
}  // namespace fathom::cpu
#endif
