// The sum of a token's K rows in expert order. Included once per Highway target, like simd.h.
#if defined(FATHOM_OPS_CPU_EXPERT_ROWS_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FATHOM_OPS_CPU_EXPERT_ROWS_H_
#undef FATHOM_OPS_CPU_EXPERT_ROWS_H_
#else
#define FATHOM_OPS_CPU_EXPERT_ROWS_H_
#endif

#include "ops/cpu/simd_math.h"
#include "ops/expert_sort.h"

HWY_BEFORE_NAMESPACE();
namespace fathom::cpu::HWY_NAMESPACE {

// out = first + sum over k of weights[k] * rows[row_of[k]], a row that is nowhere left out; without `weights`
// each weight is 1, without `first` it is 0. One pass over the columns for all K rows.
template <class T>
void sum_rows(const Tensor& rows, const int32_t* row_of, const float* weights, int64_t K, const T* first,
              T* out) {
  const F32 d;
  for_each_vector(rows.cols(), [&](int64_t c, auto part) HWY_ATTR {
    Vec sum = first ? load(d, first + c, part) : hn::Zero(d);
    for (int64_t k = 0; k < K; ++k) {
      if (row_of[k] == ExpertSort::nowhere) continue;
      const Vec x = load(d, rows.row<T>(row_of[k]) + c, part);
      sum = weights ? hn::MulAdd(hn::Set(d, weights[k]), x, sum) : hn::Add(sum, x);
    }
    store(d, sum, out + c, part);
  });
}

}  // namespace fathom::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
