#include "ops/combine.h"

#include "ops/grouped_rows.h"

namespace fathom {

void combine(Device& device, const Combine& a) {
  Dim N{"N"}, K{"K"}, C{"C"};
  expect("combine row_of", a.row_of, {N, K}, DType::i32);
  Dim M{"M"};
  expect("combine rows", a.rows, {M, C});
  expect("combine out", a.out, {N, C}, a.rows.dtype);
  if (a.weights) expect("combine weights", a.weights, {N, K}, stat_of(a.rows.dtype));
  if (a.shared) expect("combine shared", a.shared, {N, C}, a.rows.dtype);
  check_row_of("combine", device, a.row_of, M);
  FATHOM_DISPATCH(combine, device, a, moves(a.out, a.rows, a.shared), 2.0 * M * C)
}

void combine_backward(Device& device, const CombineBackward& a) {
  Dim N{"N"}, K{"K"}, C{"C"};
  expect("combine row_of", a.row_of, {N, K}, DType::i32);
  Dim M{"M"};
  expect("combine rows", a.rows, {M, C});
  expect("combine drows", a.drows, {M, C}, a.rows.dtype);
  expect("combine dout", a.dout, {N, C}, a.rows.dtype);
  expect("combine weights", a.weights, {N, K}, stat_of(a.rows.dtype));
  expect("combine dweights", a.dweights, {N, K}, stat_of(a.rows.dtype));
  check_row_of("combine_backward", device, a.row_of, M);
  FATHOM_DISPATCH(combine_backward, device, a, moves(a.drows, a.dout, a.rows), 3.0 * M * C)
}

}  // namespace fathom
