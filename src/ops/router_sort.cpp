#include "ops/router_sort.h"

#include "ops/routing_checks.h"

namespace fathom {

void router_sort(Device& device, const RouterSort& a) {
  const RouterSort call = {.router = checked(a.router), .sort = a.sort};
  check_shapes(a.sort);
  Dim N{"N", a.router.ids.rows()}, K{"K", a.router.ids.cols()}, E1{"E+1", a.router.logits.cols() + 1};
  expect("router_sort sort.ids", a.sort.ids, {N, K}, DType::i32);
  expect("router_sort sort.offsets", a.sort.offsets, {E1}, DType::i32);
  check(a.sort.ids.data == a.router.ids.data, "router_sort: sort.ids are not the router's");
  FATHOM_DISPATCH(
      router_sort, device, call,
      moves(a.router.logits, a.router.scores, a.router.weights, a.router.ids, a.sort.row_of, a.sort.token_of),
      4.0 * static_cast<double>(a.router.logits.count()))
}

}  // namespace fathom
