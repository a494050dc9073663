#include "ops/permute.h"

#include "ops/grouped_rows.h"

namespace fathom {

void permute(Device& device, const Permute& a) {
  Dim N{"N"}, C{"C"}, M{"M"};
  expect("permute x", a.x, {N, C});
  expect("permute out", a.out, {M, C}, a.x.dtype);
  expect("permute token_of", a.token_of, {M}, DType::i32);
  FATHOM_DISPATCH(permute, device, a, 2 * moves(a.out), 0)
}

void permute_backward(Device& device, const PermuteBackward& a) {
  Dim N{"N"}, K{"K"}, C{"C"}, M{"M"};
  expect("permute row_of", a.row_of, {N, K}, DType::i32);
  expect("permute dout", a.dout, {M, C});
  expect("permute dx", a.dx, {N, C}, a.dout.dtype);
  check_row_of("permute_backward", device, a.row_of, M);
  FATHOM_DISPATCH(permute_backward, device, a, moves(a.dx, a.dout), 1.0 * M * C)
}

}  // namespace fathom
