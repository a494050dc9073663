#include "ops/router.h"

#include "ops/routing_checks.h"

namespace fathom {

RouterForward checked(const RouterForward& a) {
  Dim N{"N"}, E{"E"}, K{"K"};
  expect("router logits", a.logits, {N, E});
  expect("router scores", a.scores, {N, E}, a.logits.dtype);
  expect("router ids", a.ids, {N, K}, DType::i32);
  expect("router weights", a.weights, {N, K}, a.logits.dtype);
  if (a.bias) expect("router bias", a.bias, {E}, a.logits.dtype);
  check(a.n_groups >= 1 && E % a.n_groups == 0, "router: {} experts cannot be split into {} groups", E.size(),
        a.n_groups);
  check(a.topk_groups >= 1 && a.topk_groups <= a.n_groups, "router: topk_groups is {}, expected 1..{}",
        a.topk_groups, a.n_groups);
  check(K >= 1 && K <= E / a.n_groups * a.topk_groups,
        "router: K is {}, expected 1..{}, the experts of {} of {} groups", K.size(),
        E / a.n_groups * a.topk_groups, a.topk_groups, a.n_groups);
  RouterForward call = a;
  call.normalize = a.normalize && K > 1;
  return call;
}

void router_forward(Device& device, const RouterForward& a) {
  const RouterForward call = checked(a);
  FATHOM_DISPATCH(router_forward, device, call, moves(a.logits, a.bias, a.scores, a.ids, a.weights),
                  4.0 * static_cast<double>(a.logits.count()))
}

void router_backward(Device& device, const RouterBackward& a) {
  Dim N{"N"}, E{"E"}, K{"K"};
  expect("router scores", a.scores, {N, E});
  expect("router dlogits", a.dlogits, {N, E}, a.scores.dtype);
  expect("router dweights", a.dweights, {N, K}, a.scores.dtype);
  if (a.dscores) expect("router dscores", a.dscores, {N, E}, a.scores.dtype);
  expect("router ids", a.ids, {N, K}, DType::i32);
  RouterBackward call = a;
  call.normalize = a.normalize && K > 1;
  FATHOM_DISPATCH(router_backward, device, call, moves(a.dlogits, a.dweights, a.dscores, a.scores, a.ids),
                  4.0 * N * E)
}

}  // namespace fathom
