#include "ops/balance.h"

namespace fathom {
namespace {

void check_tokens(double tokens, int64_t N) {
  check(tokens >= static_cast<double>(N), "balance: a step of {} tokens cannot hold the {} of this call",
        tokens, N);
}

}  // namespace

void balance_loss(Device& device, const BalanceLoss& a) {
  Dim N{"N"}, E{"E"}, K{"K"}, B{"B"}, levels{"levels", 3}, D{"D", a.n_groups};
  expect("balance scores", a.scores, {N, E});
  expect("balance ids", a.ids, {N, K}, DType::i32);
  expect("balance losses", a.losses, {levels}, a.scores.dtype);
  expect("balance prices", a.prices, {B, E}, a.scores.dtype);
  Dim B1{"B+1", B + 1};
  expect("balance sequence_starts", a.sequence_starts, {B1}, DType::i32);
  check(a.n_groups >= 1 && E % a.n_groups == 0, "balance: {} experts cannot be split into {} groups",
        E.size(), a.n_groups);
  check(a.topk_groups >= 1 && a.topk_groups <= a.n_groups, "balance: topk_groups is {}, expected 1..{}",
        a.topk_groups, a.n_groups);
  if (a.counts || a.sent) {
    expect("balance counts", a.counts, {E}, DType::i32);
    expect("balance sent", a.sent, {D}, DType::i32);
    check(B == 1, "balance: counts are of one sequence, the whole step, but there are {}", B.size());
  }
  check_tokens(a.tokens, N);
  FATHOM_DISPATCH(balance_loss, device, a, moves(a.scores, a.ids, a.prices), 1.0 * N * (E + K))
}

void balance_loss_backward(Device& device, const BalanceLossBackward& a) {
  Dim N{"N"}, E{"E"}, B{"B"};
  expect("balance dscores", a.dscores, {N, E});
  expect("balance prices", a.prices, {B, E}, a.dscores.dtype);
  Dim B1{"B+1", B + 1};
  expect("balance sequence_starts", a.sequence_starts, {B1}, DType::i32);
  check_tokens(a.tokens, N);
  FATHOM_DISPATCH(balance_loss_backward, device, a, moves(a.dscores), 1.0 * N * E)
}

}  // namespace fathom
