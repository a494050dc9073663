#include "ops/router_bias.h"

namespace fathom {

void router_bias_update(Device& device, const RouterBiasUpdate& a) {
  Dim E{"E"};
  expect("router_bias_update bias", a.bias, {E});
  expect("router_bias_update counts", a.counts, {E}, DType::i32);
  FATHOM_DISPATCH(router_bias_update, device, a, moves(a.counts, a.bias), 3.0 * E)
}

}  // namespace fathom
