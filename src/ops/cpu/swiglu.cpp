#include "ops/swiglu.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/swiglu.cpp"
#include <hwy/foreach_target.h>
// must come after foreach_target
#include "ops/cpu/simd_math.h"

HWY_BEFORE_NAMESPACE();
namespace fathom::cpu::HWY_NAMESPACE {
namespace {

template <class T>
void swiglu_row(const T* gate, const T* up, T* out, int64_t F) {
  const F32 d;
  for_each_vector(F, [&](int64_t f, auto part) HWY_ATTR {
    const Vec g = load(d, gate + f, part);
    store(d, hn::Mul(hn::Mul(g, sigmoid(d, g)), load(d, up + f, part)), out + f, part);
  });
}

// silu'(g) = s + g s (1 - s), s = sigmoid(g)
template <class T>
void swiglu_row_backward(const T* gate, const T* up, const T* dout, T* dgate, T* dup, int64_t F) {
  const F32 d;
  const Vec one = hn::Set(d, 1.0f);
  for_each_vector(F, [&](int64_t f, auto part) HWY_ATTR {
    const Vec g = load(d, gate + f, part), u = load(d, up + f, part), dy = load(d, dout + f, part);
    const Vec s = sigmoid(d, g), silu = hn::Mul(g, s);
    const Vec slope = hn::MulAdd(silu, hn::Sub(one, s), s);
    store(d, hn::Mul(hn::Mul(dy, u), slope), dgate + f, part);
    store(d, hn::Mul(dy, silu), dup + f, part);
  });
}

}  // namespace

void swiglu_forward(Device& device, const SwigluForward& a) {
  with_dtype<float, bf16>("swiglu_forward", a.out.dtype, [&]<class T>(T) {
    const int64_t F = a.out.cols();
    parallel_ranges(device.threads(), a.out.rows(), 1, [&](int, int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const T* gate = a.gate_up.row<T>(n);
        swiglu_row(gate, gate + F, a.out.row<T>(n), F);
      }
    });
  });
}

void swiglu_backward(Device& device, const SwigluBackward& a) {
  with_dtype<float, bf16>("swiglu_backward", a.dout.dtype, [&]<class T>(T) {
    const int64_t F = a.dout.cols();
    parallel_ranges(device.threads(), a.dout.rows(), 1, [&](int, int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const T* gate = a.gate_up.row<T>(n);
        T* dgate = a.dgate_up.row<T>(n);
        swiglu_row_backward(gate, gate + F, a.dout.row<T>(n), dgate, dgate + F, F);
      }
    });
  });
}

}  // namespace fathom::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom::cpu {
FATHOM_SIMD_OP(swiglu_forward, SwigluForward)
FATHOM_SIMD_OP(swiglu_backward, SwigluBackward)
}  // namespace fathom::cpu
#endif
