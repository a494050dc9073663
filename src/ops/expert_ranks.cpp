#include "ops/expert_ranks.h"

#include "ops/grouped_rows.h"

namespace fathom {

void expert_ranks(Device& device, const ExpertRanks& a) {
  Dim N{"N"}, K{"K"}, R{"R"};
  expect("expert_ranks ids", a.ids, {N, K}, DType::i32);
  expect("expert_ranks ranks", a.ranks, {N, K}, DType::i32);
  expect("expert_ranks choices", a.choices, {R}, DType::i32);
  check(a.experts >= 1, "expert_ranks: {} experts on a rank, expected 1 or more", a.experts);
  FATHOM_DISPATCH(expert_ranks, device, a, moves(a.ids, a.ranks), 1.0 * N * K)
}

void expert_ranks_local(Device& device, const ExpertRanksLocal& a) {
  Dim N{"N"}, K{"K"}, S{"S"};
  expect("expert_ranks ids", a.ids, {N, K}, DType::i32);
  expect("expert_ranks row_of", a.row_of, {N, K}, DType::i32);
  expect("expert_ranks local", a.local, {S, K}, DType::i32);
  check(a.experts >= 1, "expert_ranks: {} experts on a rank, expected 1 or more", a.experts);
  check_row_of("expert_ranks_local", device, a.row_of, S);
  FATHOM_DISPATCH(expert_ranks_local, device, a, moves(a.ids, a.row_of, a.local), 1.0 * S * K)
}

}  // namespace fathom
