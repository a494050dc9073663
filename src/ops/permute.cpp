#include "ops/permute.h"

#include <limits>

namespace fathom {

void expert_sort(Device& device, const ExpertSort& a) {
  Dim N{"N"}, K{"K"}, E1{"E+1"};
  expect("expert_sort ids", a.ids, {N, K}, DType::i32);
  expect("expert_sort offsets", a.offsets, {E1}, DType::i32);
  expect("expert_sort row_of", a.row_of, {N, K}, DType::i32);
  Dim M{"N*K", N * K};
  expect("expert_sort token_of", a.token_of, {M}, DType::i32);
  check(E1 >= 2, "expert_sort: offsets needs at least one expert");
  check(M <= std::numeric_limits<int32_t>::max(), "expert_sort: {} slots are too many", M.size());
  FATHOM_DISPATCH(expert_sort, device, a, moves(a.ids, a.row_of, a.token_of), 1.0 * M)
}

void expert_counts(Device& device, const ExpertCounts& a) {
  Dim E{"E"};
  expect("expert_counts counts", a.counts, {E}, DType::i32);
  Dim bounds{"E+1", E + 1};
  expect("expert_counts offsets", a.offsets, {bounds}, DType::i32);
  FATHOM_DISPATCH(expert_counts, device, a, moves(a.counts), 1.0 * E)
}

void permute(Device& device, const Permute& a) {
  Dim N{"N"}, C{"C"}, M{"M"};
  expect("permute x", a.x, {N, C});
  expect("permute out", a.out, {M, C}, a.x.dtype);
  expect("permute token_of", a.token_of, {M}, DType::i32);
  FATHOM_DISPATCH(permute, device, a, 2 * moves(a.out), 0)
}

void permute_backward(Device& device, const PermuteBackward& a) {
  Dim N{"N"}, K{"K"}, C{"C"};
  expect("permute row_of", a.row_of, {N, K}, DType::i32);
  Dim M{"N*K", N * K};
  expect("permute dout", a.dout, {M, C});
  expect("permute dx", a.dx, {N, C}, a.dout.dtype);
  FATHOM_DISPATCH(permute_backward, device, a, moves(a.dx, a.dout), 1.0 * M * C)
}

void combine(Device& device, const Combine& a) {
  Dim N{"N"}, K{"K"}, C{"C"};
  expect("combine row_of", a.row_of, {N, K}, DType::i32);
  Dim M{"N*K", N * K};
  expect("combine rows", a.rows, {M, C});
  expect("combine out", a.out, {N, C}, a.rows.dtype);
  expect("combine weights", a.weights, {N, K}, stat_of(a.rows.dtype));
  if (a.shared) expect("combine shared", a.shared, {N, C}, a.rows.dtype);
  FATHOM_DISPATCH(combine, device, a, moves(a.out, a.rows, a.shared), 2.0 * M * C)
}

void combine_backward(Device& device, const CombineBackward& a) {
  Dim N{"N"}, K{"K"}, C{"C"};
  expect("combine row_of", a.row_of, {N, K}, DType::i32);
  Dim M{"N*K", N * K};
  expect("combine rows", a.rows, {M, C});
  expect("combine drows", a.drows, {M, C}, a.rows.dtype);
  expect("combine dout", a.dout, {N, C}, a.rows.dtype);
  expect("combine weights", a.weights, {N, K}, stat_of(a.rows.dtype));
  expect("combine dweights", a.dweights, {N, K}, stat_of(a.rows.dtype));
  FATHOM_DISPATCH(combine_backward, device, a, moves(a.drows, a.dout, a.rows), 3.0 * M * C)
}

}  // namespace fathom
