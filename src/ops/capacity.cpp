#include "ops/capacity.h"

namespace fathom {

void capacity(Device& device, const Capacity& a) {
  Dim N{"N"}, E{"E"}, K{"K"}, U{"U"}, one{"1", 1};
  expect("capacity scores", a.scores, {N, E});
  expect("capacity ids", a.ids, {N, K}, DType::i32);
  expect("capacity kept", a.kept, {N, K}, DType::i32);
  expect("capacity exempt", a.exempt, {U}, DType::i32);
  if (a.dropped) expect("capacity dropped", a.dropped, {one}, DType::i32);
  check(U >= 1 && N % U == 0, "capacity: {} tokens cannot be split into {} units", N.size(), U.size());
  check(a.n_groups >= 1 && E % a.n_groups == 0, "capacity: {} experts cannot be split into {} groups",
        E.size(), a.n_groups);
  check(a.capacity >= 0, "capacity is {}, expected 0 or more", a.capacity);
  FATHOM_DISPATCH(capacity, device, a, moves(a.ids, a.kept), 2.0 * N * K)
}

}  // namespace fathom
