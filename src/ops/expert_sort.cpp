#include "ops/expert_sort.h"

#include <limits>

#include "ops/routing_checks.h"

namespace fathom {

void check_shapes(const ExpertSort& a) {
  Dim N{"N"}, K{"K"}, E1{"E+1"};
  expect("expert_sort ids", a.ids, {N, K}, DType::i32);
  expect("expert_sort offsets", a.offsets, {E1}, DType::i32);
  expect("expert_sort row_of", a.row_of, {N, K}, DType::i32);
  Dim M{"N*K", N * K};
  expect("expert_sort token_of", a.token_of, {M}, DType::i32);
  check(E1 >= 2, "expert_sort: offsets needs at least one expert");
  check(M <= std::numeric_limits<int32_t>::max(), "expert_sort: {} slots are too many", M.size());
}

void expert_sort(Device& device, const ExpertSort& a) {
  check_shapes(a);
  FATHOM_DISPATCH(expert_sort, device, a, moves(a.ids, a.row_of, a.token_of),
                  static_cast<double>(a.ids.count()))
}

}  // namespace fathom
