// The pattern of a kernel file: the vector code is compiled once per instruction set (foreach_target includes
// this very file again); helpers sit in an unnamed namespace, the op itself resolves dtypes and splits the
// work over threads; the part under HWY_ONCE picks the instruction set at run time.
#include "ops/rmsnorm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/rmsnorm.cpp"
#include <hwy/foreach_target.h>
// must come after foreach_target
#include "ops/cpu/simd.h"

#include <algorithm>
#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace fathom::cpu::HWY_NAMESPACE {
namespace {

template <class T>
void norm_row(const T* x, const T* w, T* out, float* rstd_out, int64_t C, float eps) {
  const F32 d;
  const int64_t L = hn::Lanes(d);
  Vec sum = hn::Zero(d);
  int64_t c = 0;
  for (; c + L <= C; c += L) {
    const Vec v = load(d, x + c);
    sum = hn::MulAdd(v, v, sum);
  }
  float squares = sum_lanes(d, sum);
  for (; c < C; ++c) squares += to_float(x[c]) * to_float(x[c]);
  const float rstd = 1.0f / std::sqrt(squares / static_cast<float>(C) + eps);
  if (rstd_out) *rstd_out = rstd;
  const Vec scale = hn::Set(d, rstd);
  for (c = 0; c + L <= C; c += L)
    store(d, hn::Mul(round_to(d, hn::Mul(load(d, x + c), scale), T{}), load(d, w + c)), out + c);
  for (; c < C; ++c) out[c] = T(to_float(T(to_float(x[c]) * rstd)) * to_float(w[c]));
}

template <class T>
void norm_row_backward(const T* x, const T* w, const T* dout, const T* residual, T* dx, float* dw, float rstd,
                       int64_t C) {
  const F32 d;
  const int64_t L = hn::Lanes(d);
  const Vec scale = hn::Set(d, rstd);
  Vec sum = hn::Zero(d);
  int64_t c = 0;
  for (; c + L <= C; c += L)
    sum = hn::MulAdd(hn::Mul(load(d, dout + c), load(d, w + c)), load(d, x + c), sum);
  float dot = sum_lanes(d, sum);
  for (; c < C; ++c) dot += to_float(dout[c]) * to_float(w[c]) * to_float(x[c]);
  const float mean = dot * rstd / static_cast<float>(C);
  const Vec vmean = hn::Set(d, mean);
  for (c = 0; c + L <= C; c += L) {
    const Vec y = hn::Mul(load(d, x + c), scale), g = load(d, dout + c);
    store(d, hn::MulAdd(g, y, load(d, dw + c)), dw + c);
    const Vec v = hn::Mul(scale, hn::NegMulAdd(y, vmean, hn::Mul(g, load(d, w + c))));
    store(d, residual ? hn::Add(load(d, residual + c), v) : v, dx + c);
  }
  for (; c < C; ++c) {
    const float y = to_float(x[c]) * rstd, g = to_float(dout[c]);
    dw[c] += g * y;
    const float v = rstd * (g * to_float(w[c]) - y * mean);
    dx[c] = T(residual ? to_float(residual[c]) + v : v);
  }
}

}  // namespace

void rmsnorm_forward(Device& device, const RmsNormForward& a) {
  with_dtype<float, bf16>("rmsnorm_forward", a.x.dtype, [&]<class T>(T) {
    parallel_ranges(device.threads(), a.x.rows(), 1, [&](int, int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n)
        norm_row(a.x.row<T>(n), a.w.as<T>(), a.out.row<T>(n), a.rstd ? a.rstd.as<float>() + n : nullptr,
                 a.x.cols(), static_cast<float>(a.eps));
    });
  });
}

// Every thread sums its rows' dw into its own scratch; the partial sums are then added in thread order.
void rmsnorm_backward(Device& device, const RmsNormBackward& a) {
  const int64_t C = a.x.cols();
  for (int t = 0; t < device.threads(); ++t)
    std::fill_n(static_cast<float*>(device.scratch(t, C * 4)), C, 0.0f);
  with_dtype<float, bf16>("rmsnorm_backward", a.x.dtype, [&]<class T>(T) {
    parallel_ranges(device.threads(), a.x.rows(), 1, [&](int thread, int64_t begin, int64_t end) {
      float* dw = static_cast<float*>(device.scratch(thread, C * 4));
      for (int64_t n = begin; n < end; ++n)
        norm_row_backward(a.x.row<T>(n), a.w.as<T>(), a.dout.row<T>(n),
                          a.residual ? a.residual.row<T>(n) : nullptr, a.dx.row<T>(n), dw,
                          a.rstd.as<float>()[n], C);
    });
  });
  for (int t = 0; a.dw && t < device.threads(); ++t) {
    const float* part = static_cast<const float*>(device.scratch(t, C * 4));
    float* dw = a.dw.as<float>();
    for (int64_t c = 0; c < C; ++c) dw[c] = a.accumulate_dw || t > 0 ? dw[c] + part[c] : part[c];
  }
}

}  // namespace fathom::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom::cpu {
FATHOM_SIMD_OP(rmsnorm_forward, RmsNormForward)
FATHOM_SIMD_OP(rmsnorm_backward, RmsNormBackward)
}  // namespace fathom::cpu
#endif
