#include "ops/attention_merge.h"

namespace fathom {

void attention_merge(Device& device, const AttentionMerge& a) {
  Dim N{"N"}, H{"H"}, Dv{"Dv"};
  const DType any = a.part.dtype, stat = stat_of(any);
  expect("attention_merge part", a.part, {N, H, Dv}, any);
  expect("attention_merge part_lse", a.part_lse, {N, H}, stat);
  expect("attention_merge merged", a.merged, {N, H, Dv}, stat);
  expect("attention_merge merged_lse", a.merged_lse, {N, H}, stat);
  if (a.out) expect("attention_merge out", a.out, {N, H, Dv}, any);
  const double merged = moves(a.merged, a.merged_lse);
  FATHOM_DISPATCH(attention_merge, device, a,
                  moves(a.part, a.part_lse, a.out) + (a.first ? 0 : merged) + (a.out ? 0 : merged),
                  3.0 * N * H * Dv)
}

}  // namespace fathom
