#include "ops/permute.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/permute.cpp"
#include <hwy/foreach_target.h>
// must come after foreach_target
#include "ops/cpu/simd_math.h"

#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace fathom::cpu::HWY_NAMESPACE {
namespace {

// out = first + sum over k of weights[k] * rows[k]; without `weights` each counts once, without `first` it is
// 0. One pass over the columns, all K rows at once.
template <class T>
void sum_rows(const Tensor& rows, const int32_t* row_of, const float* weights, int64_t K, const T* first,
              T* out) {
  const F32 d;
  each_vector(rows.cols(), [&](int64_t c, auto part) HWY_ATTR {
    Vec sum = first ? load(d, first + c, part) : hn::Zero(d);
    for (int64_t k = 0; k < K; ++k) {
      const Vec x = load(d, rows.row<T>(row_of[k]) + c, part);
      sum = weights ? hn::MulAdd(hn::Set(d, weights[k]), x, sum) : hn::Add(sum, x);
    }
    store(d, sum, out + c, part);
  });
}

// drow = weight * dout; returns dout . row. drow may be row.
template <class T>
float combine_row_backward(const T* dout, const T* row, T* drow, float weight, int64_t C) {
  const F32 d;
  const Vec w = hn::Set(d, weight);
  Vec dot = hn::Zero(d);
  each_vector(C, [&](int64_t c, auto part) HWY_ATTR {
    const Vec g = load(d, dout + c, part);
    dot = hn::MulAdd(g, load(d, row + c, part), dot);
    store(d, hn::Mul(w, g), drow + c, part);
  });
  return sum_lanes(d, dot);
}

}  // namespace

void permute(Device& device, const Permute& a) {
  with_dtype<float, bf16>("permute", a.x.dtype, [&]<class T>(T) {
    parallel_ranges(device.threads(), a.out.rows(), 1, [&](int, int64_t begin, int64_t end) {
      for (int64_t m = begin; m < end; ++m)
        std::memcpy(a.out.row<T>(m), a.x.row<T>(a.token_of.as<int32_t>()[m]), a.x.cols() * sizeof(T));
    });
  });
}

void permute_backward(Device& device, const PermuteBackward& a) {
  with_dtype<float, bf16>("permute_backward", a.dx.dtype, [&]<class T>(T) {
    parallel_ranges(device.threads(), a.dx.rows(), 1, [&](int, int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n)
        sum_rows<T>(a.dout, a.row_of.row<int32_t>(n), nullptr, a.row_of.cols(), nullptr, a.dx.row<T>(n));
    });
  });
}

void combine(Device& device, const Combine& a) {
  with_dtype<float, bf16>("combine", a.out.dtype, [&]<class T>(T) {
    parallel_ranges(device.threads(), a.out.rows(), 1, [&](int, int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n)
        sum_rows<T>(a.rows, a.row_of.row<int32_t>(n), a.weights.row<float>(n), a.row_of.cols(),
                    a.shared ? a.shared.row<T>(n) : nullptr, a.out.row<T>(n));
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
              combine_row_backward(a.dout.row<T>(n), a.rows.row<T>(m), a.drows.row<T>(m),
                                   a.weights.row<float>(n)[k], a.dout.cols());
        }
    });
  });
}

}  // namespace fathom::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom::cpu {
FATHOM_SIMD_OP(permute, Permute)
FATHOM_SIMD_OP(permute_backward, PermuteBackward)
FATHOM_SIMD_OP(combine, Combine)
FATHOM_SIMD_OP(combine_backward, CombineBackward)

void expert_counts(Device& device, const ExpertCounts& a) {
  reference::expert_counts(device, a);  // a few hundred additions
}

}  // namespace fathom::cpu
#endif
