// Skinny GEMMs: at most skinny_rows rows, as in decoding. They are bound by reading B (the weights), so B is
// read once, unpacked, and each element is used for all rows from a register. Also conversions of whole rows.
#include "ops/cpu/matmul/micro_kernel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/matmul/gemm_skinny.cpp"
#include <hwy/foreach_target.h>
// must come after foreach_target
#include "ops/cpu/simd.h"

HWY_BEFORE_NAMESPACE();
namespace fathom::cpu::HWY_NAMESPACE {
namespace {

constexpr int64_t lanes = hn::MaxLanes(F32());

float bias_at(const Gemm& g, int64_t n) {
  if (!g.bias) return 0;
  return g.bias_dtype == DType::bf16 ? to_float(static_cast<const bf16*>(g.bias)[n])
                                     : static_cast<const float*>(g.bias)[n];
}

void put(const Gemm& g, int64_t m, int64_t n, float sum) {
  const float value = g.alpha * sum + bias_at(g, n);
  const int64_t at = m * g.c_stride + n;
  if (g.c_dtype == DType::bf16) {
    bf16& c = static_cast<bf16*>(g.c)[at];
    c = bf16(g.accumulate ? to_float(c) + value : value);
  } else {
    float& c = static_cast<float*>(g.c)[at];
    c = g.accumulate ? c + value : value;
  }
}

// C[0..M, n..n+R]: dot products of A's rows with R rows of the transposed B.
template <int M, int R, class T>
void dots(const Gemm& g, const float* a, int64_t n) {
  const F32 d;
  const T* b = static_cast<const T*>(g.b.data) + n * g.b.row_stride;
  Vec sum[R][M];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m) sum[r][m] = hn::Zero(d);
  int64_t k = 0;
  for (; k + lanes <= g.K; k += lanes) {
    Vec w[R];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) w[r] = load(d, b + r * g.b.row_stride + k);
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m) {
      const Vec x = load(d, a + m * g.K + k);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) sum[r][m] = hn::MulAdd(w[r], x, sum[r][m]);
    }
  }
  for (int r = 0; r < R; ++r)
    for (int m = 0; m < M; ++m) {
      float s = sum_lanes(d, sum[r][m]);
      for (int64_t t = k; t < g.K; ++t) s += to_float(b[r * g.b.row_stride + t]) * a[m * g.K + t];
      put(g, m, n + r, s);
    }
}

// C[0..M, n..n+V*lanes]: sums of B's rows weighted by elements of A.
template <int M, int V, class T>
void weighted_rows(const Gemm& g, const float* a, int64_t n) {
  const F32 d;
  const T* b = static_cast<const T*>(g.b.data) + n;
  Vec sum[M][V];
#pragma GCC unroll 8
  for (int m = 0; m < M; ++m)
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) sum[m][v] = hn::Zero(d);
  for (int64_t k = 0; k < g.K; ++k, b += g.b.row_stride) {
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) {
      const Vec w = load(d, b + v * lanes);
#pragma GCC unroll 8
      for (int m = 0; m < M; ++m) sum[m][v] = hn::MulAdd(hn::Set(d, a[m * g.K + k]), w, sum[m][v]);
    }
  }
  float out[lanes];
  for (int m = 0; m < M; ++m)
    for (int v = 0; v < V; ++v) {
      hn::StoreU(sum[m][v], d, out);
      for (int64_t i = 0; i < lanes; ++i) put(g, m, n + v * lanes + i, out[i]);
    }
}

// The last columns, fewer than a vector.
template <class T>
void weighted_column(const Gemm& g, const float* a, int64_t n) {
  const T* b = static_cast<const T*>(g.b.data) + n;
  for (int64_t m = 0; m < g.M; ++m) {
    float sum = 0;
    for (int64_t k = 0; k < g.K; ++k) sum += a[m * g.K + k] * to_float(b[k * g.b.row_stride]);
    put(g, m, n, sum);
  }
}

// R rows or V vectors of B at a time: as many as AVX2 has registers for their sums.
template <int M, class T>
void columns(const Gemm& g, const float* a, int64_t begin, int64_t end) {
  constexpr int R = M <= 2 ? 4 : M == 3 ? 3 : M <= 6 ? 2 : 1;
  constexpr int V = M == 1 ? 8 : M <= 3 ? 4 : M <= 6 ? 2 : 1;
  int64_t n = begin;
  if (g.b.transposed) {
    for (; n + R <= end; n += R) dots<M, R, T>(g, a, n);
    for (; n < end; ++n) dots<M, 1, T>(g, a, n);
  } else {
    for (; n + V * lanes <= end; n += V * lanes) weighted_rows<M, V, T>(g, a, n);
    for (; n + lanes <= end; n += lanes) weighted_rows<M, 1, T>(g, a, n);
    for (; n < end; ++n) weighted_column<T>(g, a, n);
  }
}

template <int M>
void for_rows(const Gemm& g, const float* a, int64_t begin, int64_t end) {
  if (g.M < M) {
    if constexpr (M > 1) for_rows<M - 1>(g, a, begin, end);
  } else if (g.b.dtype == DType::bf16) {
    columns<M, bf16>(g, a, begin, end);
  } else {
    columns<M, float>(g, a, begin, end);
  }
}

}  // namespace

void skinny(const Gemm& g, const float* a, int64_t begin, int64_t end) {
  for_rows<skinny_rows>(g, a, begin, end);
}

template <class T>
void widen(const T* x, int64_t step, int64_t n, float* out) {
  const F32 d;
  int64_t i = 0;
  for (; step == 1 && i + lanes <= n; i += lanes) store(d, load(d, x + i), out + i);
  for (; i < n; ++i) out[i] = to_float(x[i * step]);
}
void widen_row(const void* x, DType dtype, int64_t step, int64_t n, float* out) {
  if (dtype == DType::bf16)
    widen(static_cast<const bf16*>(x), step, n, out);
  else
    widen(static_cast<const float*>(x), step, n, out);
}

void round_row(const float* x, int64_t n, bf16* out) {
  const F32 d;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) store(d, load(d, x + i), out + i);
  for (; i < n; ++i) out[i] = bf16(x[i]);
}

}  // namespace fathom::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom::cpu {
HWY_EXPORT(skinny);
HWY_EXPORT(widen_row);
HWY_EXPORT(round_row);

void skinny_product(const Gemm& g, const float* a, int64_t begin, int64_t end) {
  HWY_DYNAMIC_DISPATCH(skinny)(g, a, begin, end);
}
void convert_to_f32(const void* x, DType dtype, int64_t step, int64_t n, float* out) {
  HWY_DYNAMIC_DISPATCH(widen_row)(x, dtype, step, n, out);
}
void convert_to_bf16(const float* x, int64_t n, bf16* out) {
  HWY_DYNAMIC_DISPATCH(round_row)(x, n, out);
}

}  // namespace fathom::cpu
#endif
