#include "model/moe_exchange.h"

#include <numeric>

#include "model/expert_exchange.h"
#include "model/experts.h"
#include "model/mlp.h"
#include "ops/combine.h"
#include "ops/expert_ranks.h"
#include "ops/expert_sort.h"
#include "ops/permute.h"
#include "tensor/memory.h"

namespace fathom {
namespace {

int64_t total(const std::vector<int64_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), int64_t{0});
}

// A row of each token that is sent, to the rank of its experts; and of each that was received, back.
Pending start_sending(const Pass& p, const SentTokens& s, const Tensor& received, const Tensor& sent) {
  return p.exchange->ranks.start(AllToAll{.out = received, .out_rows = s.from, .in = sent, .in_rows = s.to});
}
Pending start_returning(const Pass& p, const SentTokens& s, const Tensor& sent, const Tensor& received) {
  return p.exchange->ranks.start(AllToAll{.out = sent, .out_rows = s.to, .in = received, .in_rows = s.from});
}

// Which tokens go where. Returns how many choices those that arrive have among this rank's experts.
int64_t decide_what_is_sent(const Pass& p, SentTokens& s, const Tensor& ids) {
  ExpertExchange& exchange = *p.exchange;
  const int64_t R = exchange.ranks.size();
  clear(p.device, s.choices());
  expert_ranks(
      p.device,
      {.ranks = s.ranks, .choices = s.choices(), .ids = ids, .experts = p.config.n_routed_experts / R});
  expert_sort(p.device, {.offsets = s.offsets(), .row_of = s.row_of, .token_of = s.token_of, .ids = s.ranks});

  const ConstTensor counts = exchange.staging.read(s.counts);
  const int32_t *offsets = counts.as<int32_t>(), *choices = offsets + R + 1;
  std::vector<int64_t> sent, received(2 * R);  // of each rank: tokens, choices
  for (int64_t r = 0; r < R; ++r) sent.insert(sent.end(), {offsets[r + 1] - offsets[r], choices[r]});
  const std::vector<int64_t> one(R, 1);
  exchange.ranks.host().run(AllToAll{.out = Tensor(received.data(), DType::i64, {R, 2}),
                                     .out_rows = one,
                                     .in = Tensor(sent.data(), DType::i64, {R, 2}),
                                     .in_rows = one});
  s.to.resize(R), s.from.resize(R);
  int64_t slots = 0;
  for (int64_t r = 0; r < R; ++r)
    s.to[r] = sent[2 * r], s.from[r] = received[2 * r], slots += received[2 * r + 1];
  return slots;
}

// Memory for the tokens that arrive, with `slots` choices of this rank's experts. What the backward pass
// reads lies below the rest; returns where that begins.
int64_t allocate_arrivals(const Pass& p, MoeActivations& a, DType dtype, int64_t slots) {
  const Config& c = p.config;
  GrowingArena& memory = p.exchange->memory;
  SentTokens& s = a.sent;
  ExpertActivations& e = a.experts;
  const int64_t T = total(s.from), K = c.num_experts_per_tok, C = c.hidden_size, F = c.moe_intermediate_size;
  const auto any = [&](std::initializer_list<int64_t> shape) { return memory.allocate(dtype, shape); };
  const auto ints = [&](std::initializer_list<int64_t> shape) { return memory.allocate(DType::i32, shape); };
  s.begin = memory.used();
  s.weights = memory.allocate(stat_of(dtype), {T, K});
  e.offsets = ints({c.n_routed_experts / p.exchange->ranks.size() + 1});
  e.row_of = ints({T, K});
  e.token_of = ints({T * K});
  e.gate_up = any({slots, 2 * F});
  e.rows = any({slots, C});
  if (!p.recompute.dispatch) e.x = any({slots, C});
  if (p.recompute.dispatch) s.x = any({T, C});
  if (!p.recompute.swiglu) e.act = any({slots, F});
  const int64_t kept = memory.used();
  if (!p.recompute.dispatch) s.x = any({T, C});
  if (p.recompute.dispatch) e.x = any({slots, C});
  if (p.recompute.swiglu) e.act = any({slots, F});
  return kept;
}

// What is sent: a token's state, its choices and their weights.
struct SentRows {
  Tensor x;        // [S, C]
  Tensor ids;      // [S, K] i32, as the receiving rank numbers its experts
  Tensor weights;  // [S, K] stat
};
SentRows pack_rows(const Pass& p, const MoeActivations& a, const Tensor& ids, const Tensor& x) {
  GrowingArena& memory = p.exchange->memory;
  const int64_t S = total(a.sent.to), K = ids.cols();
  const SentRows sent = {memory.allocate(x.dtype, {S, x.cols()}), memory.allocate(DType::i32, {S, K}),
                         memory.allocate(a.weights.dtype, {S, K})};
  const Tensor token_of = a.sent.token_of.slice(0, S);
  expert_ranks_local(p.device, {.local = sent.ids,
                                .ids = ids,
                                .row_of = a.sent.row_of,
                                .experts = p.config.n_routed_experts / p.exchange->ranks.size()});
  permute(p.device, {.out = sent.weights, .x = a.weights, .token_of = token_of});
  permute(p.device, {.out = sent.x, .x = x, .token_of = token_of});
  return sent;
}

}  // namespace

void exchanged_forward(const Pass& p, const MoeWeights& w, MoeActivations& a, int64_t layer,
                       const Tensor& ids, const Tensor& x, const Tensor& out) {
  const bool has_shared = static_cast<bool>(w.shared_experts.down_proj);
  GrowingArena& memory = p.exchange->memory;
  SentTokens& s = a.sent;
  ExpertActivations& e = a.experts;
  const int64_t slots = decide_what_is_sent(p, s, ids);
  const int64_t kept = allocate_arrivals(p, a, x.dtype, slots), T = s.x.rows();
  const SentRows sent = pack_rows(p, a, ids, x);
  const Tensor received_ids = memory.allocate(DType::i32, {T, ids.cols()});

  Pending choices = start_sending(p, s, received_ids, sent.ids);
  Pending weights = start_sending(p, s, s.weights, sent.weights);
  Pending states = start_sending(p, s, s.x, sent.x);
  if (has_shared) mlp_hidden(p, w.shared_experts, a.shared, x);
  choices.wait();
  expert_sort(p.device,
              {.offsets = e.offsets, .row_of = e.row_of, .token_of = e.token_of, .ids = received_ids});
  e.token_of = e.token_of.slice(0, slots);
  weights.wait();
  states.wait();

  experts_forward(p, w, e, s.x);
  // Each token has a choice here: as many rows in expert order, or more.
  const Tensor sums = p.recompute.dispatch ? e.x.slice(0, T) : s.x;
  combine(p.device, {.out = sums, .rows = e.rows, .weights = s.weights, .row_of = e.row_of});
  Pending back = start_returning(p, s, sent.x, sums);
  if (has_shared) mlp_down(p, w.shared_experts, a.shared, out);
  back.wait();
  combine(p.device, {.out = out, .rows = sent.x, .row_of = s.row_of, .shared = has_shared ? out : Tensor()});
  memory.rewind(p.training && layer >= p.recompute.layers ? kept : s.begin);
}

void exchanged_backward(const Pass& p, const MoeWeights& w, MoeWeights& dw, MoeActivations& a, Gradients& g,
                        const Tensor& x, const Tensor& dout, const Tensor& dx) {
  const bool has_shared = static_cast<bool>(w.shared_experts.down_proj);
  GrowingArena& memory = p.exchange->memory;
  SentTokens& s = a.sent;
  ExpertActivations& e = a.experts;
  const int64_t S = total(s.to), T = e.row_of.rows(), K = e.row_of.cols(), M = e.rows.rows(),
                C = e.rows.cols(), F = e.gate_up.cols() / 2;
  const auto any = [&](std::initializer_list<int64_t> shape) { return memory.allocate(x.dtype, shape); };
  if (p.recompute.swiglu) e.act = any({M, F});
  if (p.recompute.dispatch) e.x = any({M, C});
  const int64_t read_by_weight_gradients = memory.used();
  const Tensor sent = any({S, C}), received = any({T, C});
  const Tensor sent_dweights = memory.allocate(s.weights.dtype, {S, K}),
               dweights = memory.allocate(s.weights.dtype, {T, K});

  permute(p.device, {.out = sent, .x = dout, .token_of = s.token_of.slice(0, S)});
  Pending gradients = start_sending(p, s, received, sent);
  experts_recompute(p, e, s.x);
  Pass inputs = p;  // the weights' gradients have time
  inputs.deferred = true;
  if (has_shared) mlp_backward(inputs, w.shared_experts, dw.shared_experts, a.shared, g, x, dout, dx);
  gradients.wait();

  combine_backward(p.device, {.drows = e.drows(),
                              .dweights = dweights,
                              .dout = received,
                              .rows = e.rows,
                              .weights = s.weights,
                              .row_of = e.row_of});
  Pending of_weights = start_returning(p, s, sent_dweights, dweights);
  experts_backward_hidden(p, w, e, any({M, F}));
  const Tensor dpermuted = any({M, C});
  experts_backward_input(p, w, e, dpermuted);
  permute_backward(p.device, {.dx = received, .dout = dpermuted, .row_of = e.row_of});
  Pending of_states = start_returning(p, s, sent, received);
  if (!p.deferred) {
    experts_backward_weight(p, w, dw, e);
    if (has_shared) mlp_backward_weight(p, w.shared_experts, dw.shared_experts, a.shared, x, dout);
  }
  of_weights.wait();
  of_states.wait();
  // What a rank has no expert for comes back as 0.
  permute_backward(p.device, {.dx = g.weights, .dout = sent_dweights, .row_of = s.row_of});
  combine(p.device, {.out = dx, .rows = sent, .row_of = s.row_of, .shared = has_shared ? dx : Tensor()});
  memory.rewind(p.deferred ? read_by_weight_gradients : s.begin);
}

}  // namespace fathom
