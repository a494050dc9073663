#include "ops/router_replay.h"

namespace fathom {

void router_replay(Device& device, const RouterReplay& a) {
  Dim N{"N"}, E{"E"}, K{"K"}, R{"R"};
  expect("router_replay scores", a.scores, {N, E});
  expect("router_replay ids", a.ids, {N, K}, DType::i32);
  expect("router_replay weights", a.weights, {N, K}, a.scores.dtype);
  expect("router_replay given", a.given, {R, K}, DType::i32);
  expect("router_replay rows", a.rows, {N}, DType::i32);
  for (int64_t n = 0; device.on_host() && n < N; ++n) {
    const int32_t row = a.rows.as<int32_t>()[n];
    check(row < R, "router_replay: token {} takes row {} of {}", n, row, R.size());
    for (int64_t k = 0; row >= 0 && k < K; ++k) {
      const int32_t id = a.given.row<int32_t>(row)[k];
      check(id >= 0 && id < E, "router_replay: expert {} of row {}, expected 0..{}", id, row, E - 1);
    }
  }
  FATHOM_DISPATCH(router_replay, device, a, moves(a.ids, a.weights, a.scores), 2.0 * N * K)
}

}  // namespace fathom
