#include "ops/expert_counts.h"

namespace fathom {

void expert_counts(Device& device, const ExpertCounts& a) {
  Dim N{"N"}, K{"K"}, E{"E"}, D{"D"};
  expect("expert_counts ids", a.ids, {N, K}, DType::i32);
  expect("expert_counts counts", a.counts, {E}, DType::i32);
  expect("expert_counts sent", a.sent, {D}, DType::i32);
  check(D >= 1 && E % D == 0, "expert_counts: {} experts cannot be split into {} groups", E.size(), D.size());
  FATHOM_DISPATCH(expert_counts, device, a, moves(a.ids), 2.0 * N * K)
}

}  // namespace fathom
