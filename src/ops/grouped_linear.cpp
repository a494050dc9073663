#include "ops/grouped_linear.h"

#include "ops/grouped_rows.h"

namespace fathom {

void grouped_linear_forward(Device& device, const GroupedLinearForward& a) {
  Dim M{"M"}, I{"I"}, O{"O"}, E{"E"};
  expect("grouped_linear x", a.x, {M, I});
  expect("grouped_linear w", a.w.data, {E, O, I}, a.x.dtype);
  expect("grouped_linear out", a.out, {M, O}, a.x.dtype);
  Dim bounds{"E+1", E + 1};
  expect("grouped_linear offsets", a.offsets, {bounds}, DType::i32);
  check_offsets("grouped_linear", device, a.offsets, M);
  FATHOM_DISPATCH(grouped_linear_forward, device, a,
                  (a.accumulate ? 2 : 1) * moves(a.out) + moves(a.x) + used_weights(a.w.data, M),
                  2.0 * M * I * O)
}

void grouped_linear_backward_input(Device& device, const GroupedLinearBackwardInput& a) {
  Dim M{"M"}, I{"I"}, O{"O"}, E{"E"};
  expect("grouped_linear dx", a.dx, {M, I});
  expect("grouped_linear w", a.w.data, {E, O, I}, a.dx.dtype);
  expect("grouped_linear dout", a.dout, {M, O}, a.dx.dtype);
  Dim bounds{"E+1", E + 1};
  expect("grouped_linear offsets", a.offsets, {bounds}, DType::i32);
  check_offsets("grouped_linear", device, a.offsets, M);
  FATHOM_DISPATCH(grouped_linear_backward_input, device, a,
                  (a.accumulate ? 2 : 1) * moves(a.dx) + moves(a.dout) + used_weights(a.w.data, M),
                  2.0 * M * I * O)
}

void grouped_linear_backward_weight(Device& device, const GroupedLinearBackwardWeight& a) {
  Dim M{"M"}, I{"I"}, O{"O"}, E{"E"};
  expect("grouped_linear x", a.x, {M, I});
  expect("grouped_linear dout", a.dout, {M, O}, a.x.dtype);
  expect("grouped_linear dw", a.dw, {E, O, I}, stat_of(a.x.dtype));
  Dim bounds{"E+1", E + 1};
  expect("grouped_linear offsets", a.offsets, {bounds}, DType::i32);
  check_offsets("grouped_linear", device, a.offsets, M);
  FATHOM_DISPATCH(grouped_linear_backward_weight, device, a,
                  (a.accumulate ? 2 : 1) * moves(a.dw) + moves(a.dout, a.x), 2.0 * M * I * O)
}

}  // namespace fathom
