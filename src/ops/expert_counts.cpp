#include "ops/expert_counts.h"

namespace fathom {

void expert_counts(Device& device, const ExpertCounts& a) {
  Dim E{"E"};
  expect("expert_counts counts", a.counts, {E}, DType::i32);
  Dim bounds{"E+1", E + 1};
  expect("expert_counts offsets", a.offsets, {bounds}, DType::i32);
  FATHOM_DISPATCH(expert_counts, device, a, moves(a.counts), 1.0 * E)
}

}  // namespace fathom
