#include "ops/rmsnorm.h"

namespace fathom {

void rmsnorm_forward(Device& device, const RmsNormForward& a) {
  Dim N{"N"}, C{"C"};
  expect("rmsnorm x", a.x, {N, C});
  expect("rmsnorm out", a.out, {N, C}, a.x.dtype);
  expect("rmsnorm w", a.w, {C}, a.x.dtype);
  if (a.rstd) expect("rmsnorm rstd", a.rstd, {N}, stat_of(a.x.dtype));
  FATHOM_DISPATCH(rmsnorm_forward, device, a, moves(a.out, a.x, a.w), 4.0 * N * C)
}

void rmsnorm_backward(Device& device, const RmsNormBackward& a) {
  Dim N{"N"}, C{"C"};
  expect("rmsnorm x", a.x, {N, C});
  expect("rmsnorm dx", a.dx, {N, C}, a.x.dtype);
  if (a.residual) expect("rmsnorm residual", a.residual, {N, C}, a.x.dtype);
  if (a.dw) expect("rmsnorm dw", a.dw, {C}, stat_of(a.x.dtype));
  expect("rmsnorm dout", a.dout, {N, C}, a.x.dtype);
  expect("rmsnorm w", a.w, {C}, a.x.dtype);
  expect("rmsnorm rstd", a.rstd, {N}, stat_of(a.x.dtype));
  FATHOM_DISPATCH(rmsnorm_backward, device, a, moves(a.dx, a.residual, a.dout, a.x, a.w), 8.0 * N * C)
}

}  // namespace fathom
