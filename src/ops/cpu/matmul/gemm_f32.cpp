// The f32 micro-kernels: 6x16 (AVX2), 14x32 (AVX-512). The tile of C lives in registers: mr rows
// of two vectors each; a step along K takes two vectors of B and mr broadcast elements of A.
#include "ops/cpu/matmul/micro_kernel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/matmul/gemm_f32.cpp"
#include <hwy/foreach_target.h>
// must come after foreach_target
#include "ops/cpu/simd.h"

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace fathom::cpu::HWY_NAMESPACE {
#if HWY_TARGET == HWY_SCALAR
const MicroKernel* kernel() {
  return &portable_kernel();
}
#else
namespace {

constexpr int64_t lanes = hn::MaxLanes(F32());
constexpr int64_t mr = lanes == 16 ? 14 : lanes == 8 ? 6 : 4, nr = 2 * lanes;

void tile(int64_t depth, const void* a_panel, const void* b_panel, float* c, int64_t c_stride, float alpha,
          bool add) {
  const F32 d;
  const float *a = static_cast<const float*>(a_panel), *b = static_cast<const float*>(b_panel);
  Vec sum[mr][2];
#pragma GCC unroll 14
  for (int i = 0; i < mr; ++i) sum[i][0] = sum[i][1] = hn::Zero(d);
  for (int64_t k = 0; k < depth; ++k, a += mr, b += nr) {
    const Vec b0 = hn::LoadU(d, b), b1 = hn::LoadU(d, b + lanes);
#pragma GCC unroll 14
    for (int i = 0; i < mr; ++i) {
      const Vec ai = hn::Set(d, a[i]);
      sum[i][0] = hn::MulAdd(ai, b0, sum[i][0]);
      sum[i][1] = hn::MulAdd(ai, b1, sum[i][1]);
    }
  }
  const Vec scale = hn::Set(d, alpha);
#pragma GCC unroll 14
  for (int i = 0; i < mr; ++i) {
    float* row = c + i * c_stride;
    const Vec s0 = hn::Mul(sum[i][0], scale), s1 = hn::Mul(sum[i][1], scale);
    hn::StoreU(add ? hn::Add(s0, hn::LoadU(d, row)) : s0, d, row);
    hn::StoreU(add ? hn::Add(s1, hn::LoadU(d, row + lanes)) : s1, d, row + lanes);
  }
}

using F4 = hn::FixedTag<float, 4>;

inline auto load4(const float* p) {
  return hn::LoadU(F4(), p);
}
inline auto load4(const bf16* p) {
  const hn::Rebind<uint16_t, F4> d16;
  const hn::RebindToUnsigned<F4> d32;
  const auto wide = hn::PromoteTo(d32, hn::LoadU(d16, reinterpret_cast<const uint16_t*>(p)));
  return hn::BitCast(F4(), hn::ShiftLeft<16>(wide));
}

// out[k * W + i] = x[i * stride + k] for four i and four k, or for two i.
template <int64_t W, class T>
void transpose4(const T* x, int64_t stride, float* out) {
  const F4 d;
  const auto r0 = load4(x), r1 = load4(x + stride), r2 = load4(x + 2 * stride), r3 = load4(x + 3 * stride);
  const auto low01 = hn::InterleaveLower(d, r0, r1), low23 = hn::InterleaveLower(d, r2, r3);
  const auto high01 = hn::InterleaveUpper(d, r0, r1), high23 = hn::InterleaveUpper(d, r2, r3);
  hn::StoreU(hn::ConcatLowerLower(d, low23, low01), d, out);
  hn::StoreU(hn::ConcatUpperUpper(d, low23, low01), d, out + W);
  hn::StoreU(hn::ConcatLowerLower(d, high23, high01), d, out + 2 * W);
  hn::StoreU(hn::ConcatUpperUpper(d, high23, high01), d, out + 3 * W);
}
template <int64_t W, class T>
void transpose2(const T* x, int64_t stride, float* out) {
  const F4 d;
  const hn::Half<F4> half;
  const auto r0 = load4(x), r1 = load4(x + stride);
  const auto low = hn::InterleaveLower(d, r0, r1), high = hn::InterleaveUpper(d, r0, r1);
  hn::StoreU(hn::LowerHalf(half, low), half, out);
  hn::StoreU(hn::UpperHalf(half, low), half, out + W);
  hn::StoreU(hn::LowerHalf(half, high), half, out + 2 * W);
  hn::StoreU(hn::UpperHalf(half, high), half, out + 3 * W);
}

template <int64_t W, class T>
void pack_by_row(const T* x, int64_t stride, int64_t depth, float* out) {
  int64_t k = 0;
  for (; k + 4 <= depth; k += 4) {
    int64_t i = 0;
    for (; i + 4 <= W; i += 4) transpose4<W>(x + i * stride + k, stride, out + k * W + i);
    if constexpr (W % 4 == 2) transpose2<W>(x + i * stride + k, stride, out + k * W + i);
  }
  for (; k < depth; ++k)
    for (int64_t i = 0; i < W; ++i) out[k * W + i] = to_float(x[i * stride + k]);
}

template <int64_t W, class T>
void pack_by_depth(const T* x, int64_t stride, int64_t depth, float* out) {
  const F32 d;
  for (int64_t k = 0; k < depth; ++k, x += stride, out += W) {
    int64_t i = 0;
    for (; i + lanes <= W; i += lanes) store(d, load(d, x + i), out + i);
    for (; i + 4 <= W; i += 4) hn::StoreU(load4(x + i), F4(), out + i);
    for (; i < W; ++i) out[i] = to_float(x[i]);
  }
}

// The last panel, with fewer than W rows.
template <int64_t W, class T>
void pack_edge(const T* x, int64_t row_step, int64_t depth_step, int64_t rows, int64_t depth, float* out) {
  for (int64_t k = 0; k < depth; ++k)
    for (int64_t i = 0; i < W; ++i)
      out[k * W + i] = i < rows ? to_float(x[i * row_step + k * depth_step]) : 0.0f;
}

// All panels over a short range of K at a time, so that reads are contiguous over more than a panel's width.
template <int64_t W, class T>
void pack_panels(const PackSource& s, float* out) {
  constexpr int64_t k_range = 64;
  const int64_t row_step = s.by_row ? s.stride : 1, depth_step = s.by_row ? 1 : s.stride;
  for (int64_t k = 0; k < s.depth; k += k_range) {
    const int64_t depth = std::min(k_range, s.depth - k);
    for (int64_t i = 0; i < s.rows; i += W) {
      const T* x = static_cast<const T*>(s.data) + i * row_step + k * depth_step;
      float* panel = out + i * s.depth + k * W;
      if (s.rows - i < W)
        pack_edge<W>(x, row_step, depth_step, s.rows - i, depth, panel);
      else if (s.by_row)
        pack_by_row<W>(x, s.stride, depth, panel);
      else
        pack_by_depth<W>(x, s.stride, depth, panel);
    }
  }
}

template <int64_t W>
void pack(const PackSource& s, void* panels) {
  if (s.dtype == DType::bf16)
    pack_panels<W, bf16>(s, static_cast<float*>(panels));
  else
    pack_panels<W, float>(s, static_cast<float*>(panels));
}

}  // namespace

const MicroKernel* kernel() {
  static constexpr MicroKernel k = {.mr = mr,
                                    .nr = nr,
                                    .depth_unit = 1,
                                    .depth_block = 384,
                                    .row_block = lanes == 16 ? 14 * 16 : 96,
                                    .element = 4,
                                    .pack_a = pack<mr>,
                                    .pack_b = pack<nr>,
                                    .tile = tile,
                                    .begin = nullptr,
                                    .end = nullptr};
  return &k;
}
#endif

}  // namespace fathom::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom::cpu {
HWY_EXPORT(kernel);

const MicroKernel& f32_kernel() {
  level();
  return *HWY_DYNAMIC_DISPATCH(kernel)();
}

}  // namespace fathom::cpu
#endif
