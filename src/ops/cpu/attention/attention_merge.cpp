#include "ops/attention_merge.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/attention/attention_merge.cpp"
#include <hwy/foreach_target.h>
// must come after foreach_target
#include "ops/cpu/simd_math.h"

#include <algorithm>
#include <cmath>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace fathom::cpu::HWY_NAMESPACE {
namespace {

constexpr float no_keys = -std::numeric_limits<float>::infinity();

// to = wx x + wy y
template <class X, class Y, class To>
void weighted_sum(float wx, const X* x, float wy, const Y* y, To* to, int64_t n) {
  const F32 d;
  const Vec left = hn::Set(d, wx), right = hn::Set(d, wy);
  for_each_vector(n, [&](int64_t c, auto part) HWY_ATTR {
    const Vec second = hn::Mul(right, load(d, y + c, part));
    store(d, hn::MulAdd(left, load(d, x + c, part), second), to + c, part);
  });
}

// One row into `to`; lse becomes that of both. Nothing is read of a side without keys.
template <class T, class To>
void merge_row(const float* merged, float& lse, const T* part, float part_lse, To* to, int64_t n) {
  const float largest = std::max(lse, part_lse), before = std::exp(lse - largest),
              more = std::exp(part_lse - largest), sum = before + more;
  if (part_lse == no_keys && lse == no_keys)
    std::fill_n(to, n, To(0.0f));
  else if (part_lse == no_keys)
    weighted_sum(1, merged, 0, merged, to, n);
  else if (lse == no_keys)
    weighted_sum(1, part, 0, part, to, n);
  else
    weighted_sum(before / sum, merged, more / sum, part, to, n);
  if (largest != no_keys) lse = largest + std::log(sum);
}

}  // namespace

void attention_merge(Device& device, const AttentionMerge& a) {
  with_dtype<float, bf16>("attention_merge", a.part.dtype, [&]<class T>(T) {
    const int64_t N = a.part.shape[0], H = a.part.shape[1], Dv = a.part.cols();
    parallel_ranges(device.threads(), N, 1, [&](int, int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n)
        for (int64_t h = 0; h < H; ++h) {
          const int64_t row = n * H + h;
          const float part_lse = a.part_lse.row<float>(n)[h];
          float* merged = a.merged.row<float>(row);
          float lse = a.first ? no_keys : a.merged_lse.row<float>(n)[h];
          if (a.out) {
            merge_row(merged, lse, a.part.row<T>(row), part_lse, a.out.row<T>(row), Dv);
          } else if (a.first || part_lse != no_keys) {
            merge_row(merged, lse, a.part.row<T>(row), part_lse, merged, Dv);
            a.merged_lse.row<float>(n)[h] = lse;
          }
        }
    });
  });
}

}  // namespace fathom::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom::cpu {
FATHOM_SIMD_OP(attention_merge, AttentionMerge)
}  // namespace fathom::cpu
#endif
