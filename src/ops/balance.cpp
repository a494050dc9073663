#include "ops/balance.h"

namespace fathom {
namespace {

void check_tokens(double tokens, int64_t N) {
  check(tokens >= static_cast<double>(N), "balance: a step of {} tokens cannot hold the {} of this call",
        tokens, N);
}

}  // namespace

void balance_loss(Device& device, const BalanceLoss& a) {
  Dim N{"N"}, E{"E"}, K{"K"}, B{"B"}, one{"1", 1};
  expect("balance scores", a.scores, {N, E});
  expect("balance ids", a.ids, {N, K}, DType::i32);
  expect("balance loss", a.loss, {one}, a.scores.dtype);
  expect("balance load", a.load, {B, E}, a.scores.dtype);
  Dim B1{"B+1", B + 1};
  expect("balance sequence_starts", a.sequence_starts, {B1}, DType::i32);
  if (a.counts) {
    expect("balance counts", a.counts, {E}, DType::i32);
    check(B == 1, "balance: counts are of one sequence, the whole step, but there are {}", B.size());
  }
  check_tokens(a.tokens, N);
  FATHOM_DISPATCH(balance_loss, device, a, moves(a.scores, a.ids, a.load), 1.0 * N * (E + K))
}

void balance_loss_backward(Device& device, const BalanceLossBackward& a) {
  Dim N{"N"}, E{"E"}, B{"B"};
  expect("balance dscores", a.dscores, {N, E});
  expect("balance load", a.load, {B, E}, a.dscores.dtype);
  Dim B1{"B+1", B + 1};
  expect("balance sequence_starts", a.sequence_starts, {B1}, DType::i32);
  check_tokens(a.tokens, N);
  FATHOM_DISPATCH(balance_loss_backward, device, a, moves(a.dscores), 1.0 * N * E)
}

}  // namespace fathom
