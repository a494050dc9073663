#include "ops/swiglu.h"

namespace fathom {

void swiglu_forward(Device& device, const SwigluForward& a) {
  Dim N{"N"}, F{"F"};
  expect("swiglu out", a.out, {N, F});
  Dim F2{"2F", 2 * F.size()};
  expect("swiglu gate_up", a.gate_up, {N, F2}, a.out.dtype);
  FATHOM_DISPATCH(swiglu_forward, device, a, moves(a.out, a.gate_up), 5.0 * N * F)
}

void swiglu_backward(Device& device, const SwigluBackward& a) {
  Dim N{"N"}, F{"F"};
  expect("swiglu dout", a.dout, {N, F});
  Dim F2{"2F", 2 * F.size()};
  expect("swiglu gate_up", a.gate_up, {N, F2}, a.dout.dtype);
  expect("swiglu dgate_up", a.dgate_up, {N, F2}, a.dout.dtype);
  FATHOM_DISPATCH(swiglu_backward, device, a, moves(a.dgate_up, a.dout, a.gate_up), 10.0 * N * F)
}

}  // namespace fathom
