// How an op reaches its backend. Each op is declared once with FATHOM_OP in its contract header; the public
// function checks shapes and ends in FATHOM_DISPATCH, the only place that asks which backend runs.
//
// Rules for all ops:
//  * Parameter gradients are added to what is there (dw +=) or, with accumulate = false, written (dw =);
//    activation gradients are written (dx =). Where one is a sum of several, accumulate = true adds to it.
//  * Math is in f32 or better whatever the storage type. "stat" in a contract is the accumulator type: f64
//  when the
//    activations are f64, else f32. "any" is the activation type: f64, f32 (reference) or f32, bf16 (cpu,
//    cuda).
//  * The reference backend takes f64 and f32, the cpu and cuda backends f32 and bf16. A dtype that a backend
//    does not know is an Error naming op and dtype.
//  * Index tensors (starts, offsets, block tables) are checked where the host can read them
//  (device.on_host()); for a GPU
//    the code that makes them checks them.
//  * An op allocates nothing: temporaries come from the Device's scratch or from the caller.
//  * Dimension letters are those of model/config.h: N tokens, C hidden, H heads, Rq/Rkv latent ranks,
//  Dn/Dr/Dv head parts,
//    E experts, K active experts, F expert width, V vocabulary, B sequences.
#pragma once
#include <cassert>
#include <utility>

#include "tensor/device.h"
#include "tensor/dim.h"
#include "tensor/profile.h"
#include "tensor/tensor.h"
#include "tensor/weight.h"

// Declares op(Device&, const Args&) and its kernels, one per backend.
#define FATHOM_OP(op, Args)               \
  void op(Device& device, const Args& a); \
  namespace reference {                   \
  void op(Device& device, const Args& a); \
  }                                       \
  namespace cpu {                         \
  void op(Device& device, const Args& a); \
  }                                       \
  namespace cuda {                        \
  void op(Device& device, const Args& a); \
  }

#if FATHOM_WITH_CUDA
#define FATHOM_RUN_ON_CUDA(op, device, a) cuda::op((device), (a)), (device).finish_op(#op)
#else
#define FATHOM_RUN_ON_CUDA(op, device, a) assert(false)  // no Device can be one
#endif

// `bytes` and `operations` are the least that the op must move and compute, two operations for a
// multiply-add; they are evaluated only while a Profile is attached.
#define FATHOM_DISPATCH(op, device, a, bytes, operations) \
  ProfileSpan span((device), #op);                        \
  switch ((device).backend()) {                           \
    case Backend::reference:                              \
      reference::op((device), (a));                       \
      break;                                              \
    case Backend::cpu:                                    \
      cpu::op((device), (a));                             \
      break;                                              \
    case Backend::cuda:                                   \
      FATHOM_RUN_ON_CUDA(op, device, a);                  \
      break;                                              \
  }                                                       \
  span.end([&] { return std::pair<double, double>(bytes, operations); });

namespace fathom {

// Calls body(T{}) with the C++ type of `dtype` if it is among Ts; otherwise throws an Error naming op and
// dtype. A backend resolves a kernel's dtypes here, once per call.
template <class... Ts, class Body>
void with_dtype(const char* op, DType dtype, Body&& body) {
  const bool known = ((dtype == dtype_of<Ts> ? (body(Ts{}), true) : false) || ...);
  check(known, "{}: this backend has no kernel for {}", op, name_of(dtype));
}

// The "stat" type that goes with an activation type.
template <class T>
struct Accumulator {
  using type = float;
};
template <>
struct Accumulator<double> {
  using type = double;
};
template <class T>
using accumulator_t = typename Accumulator<T>::type;

constexpr DType stat_of(DType activation) {
  return activation == DType::f64 ? DType::f64 : DType::f32;
}

}  // namespace fathom
