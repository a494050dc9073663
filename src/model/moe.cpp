#include "model/moe.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "model/experts.h"
#include "model/mlp.h"
#include "model/moe_exchange.h"
#include "ops/balance.h"
#include "ops/capacity.h"
#include "ops/combine.h"
#include "ops/expert_sort.h"
#include "ops/linear.h"
#include "ops/permute.h"
#include "ops/router.h"
#include "ops/router_replay.h"
#include "ops/router_sort.h"
#include "tensor/memory.h"

namespace fathom {
namespace {

// The experts that another run chose, in place of the router's.
void take_replayed(const Pass& p, const MoeActivations& a, int64_t layer) {
  const ExpertReplay& replay = *p.batch.replay;
  if (!replay.chosen.empty()) copy(p.device, replay.chosen[layer], a.ids);
  router_replay(p.device, {.ids = a.ids,
                           .weights = a.weights,
                           .scores = a.scores,
                           .given = replay.given[layer],
                           .rows = replay.rows ? replay.rows : p.batch.positions,
                           .normalize = p.config.norm_topk_prob,
                           .scaling = p.config.routed_scaling_factor});
}

// Of what the router chose, or of what is replayed, whether or not it is dropped.
void add_balance_losses(const Pass& p, const MoeActivations& a, int64_t layer) {
  const Config& c = p.config;
  const TrainingStep& step = p.batch.step;
  const bool counted = static_cast<bool>(step.choices.experts);
  balance_loss(p.device, {.losses = p.balance_losses,
                          .prices = a.prices.slice(0, p.balance_starts.cols() - 1),
                          .scores = a.scores,
                          .ids = a.ids,
                          .sequence_starts = p.balance_starts,
                          .counts = counted ? step.choices.experts[layer] : Tensor(),
                          .sent = counted ? step.choices.groups[layer] : Tensor(),
                          .n_groups = static_cast<int>(c.expert_groups()),
                          .topk_groups = static_cast<int>(c.groups_per_token()),
                          .tokens = p.balance_tokens,
                          .alpha = {c.aux_loss_alpha, step.device_alpha, step.communication_alpha}});
}

// Each group of experts has room for its average load of a unit of tokens, times the capacity factor, rounded
// up.
void drop_choices(const Pass& p, const MoeActivations& a, int64_t layer) {
  const Config& c = p.config;
  if (a.ids.rows() == 0) return;
  const Tensor& exempt = p.batch.exempt;
  assert(exempt);
  const int64_t all = c.num_experts_per_tok * a.ids.rows() / exempt.cols();  // choices of a unit
  const double room =
      p.batch.step.capacity_factor * static_cast<double>(all) / static_cast<double>(c.expert_groups());
  capacity(p.device, {.kept = a.kept,
                      .dropped = p.dropped ? p.dropped.slice(layer, 1) : Tensor(),
                      .ids = a.ids,
                      .scores = a.scores,
                      .exempt = exempt,
                      .n_groups = static_cast<int>(c.expert_groups()),
                      .capacity = static_cast<int64_t>(std::min(std::ceil(room), static_cast<double>(all)))});
}

bool drops(const Pass& p) {
  return p.training && p.batch.step.capacity_factor > 0;
}
// The experts that tokens go to.
const Tensor& kept_ids(const Pass& p, const MoeActivations& a) {
  return drops(p) ? a.kept : a.ids;
}

// Which experts, with which weights, and what imbalance costs. Sorts the slots where all experts are here.
void route(const Pass& p, const MoeWeights& w, MoeActivations& a, int64_t layer, const Tensor& x) {
  const Config& c = p.config;
  const ExpertReplay* replay = p.batch.replay;
  linear_forward(p.device, {.out = a.logits(), .x = x, .w = w.gate});
  const RouterForward router = {.scores = a.scores,
                                .ids = a.ids,
                                .weights = a.weights,
                                .logits = a.logits(),
                                .bias = w.choice_bias.data,
                                .n_groups = static_cast<int>(c.expert_groups()),
                                .topk_groups = static_cast<int>(c.groups_per_token()),
                                .normalize = c.norm_topk_prob,
                                .scaling = c.routed_scaling_factor};
  const ExpertSort sort = {.offsets = a.experts.offsets,
                           .row_of = a.experts.row_of,
                           .token_of = a.experts.token_of,
                           .ids = kept_ids(p, a)};
  if (!replay && !drops(p) && !p.exchange) {
    router_sort(p.device, {.router = router, .sort = sort});
  } else {
    router_forward(p.device, router);
    if (replay) take_replayed(p, a, layer);
    if (drops(p)) drop_choices(p, a, layer);
    if (!p.exchange) expert_sort(p.device, sort);
  }
  if (p.training) add_balance_losses(p, a, layer);
}

}  // namespace

void moe_forward(const Pass& p, const MoeWeights& w, MoeActivations& a, int64_t layer, const Tensor& x,
                 const Tensor& out) {
  if (p.exchange) {
    route(p, w, a, layer, x);
    return exchanged_forward(p, w, a, layer, kept_ids(p, a), x, out);
  }
  const bool has_shared = static_cast<bool>(w.shared_experts.down_proj);
  const auto shared_experts = [&] {
    if (has_shared) mlp_forward(p, w.shared_experts, a.shared, x, out);
  };
  p.run_concurrently(shared_experts, [&] {
    route(p, w, a, layer, x);
    experts_forward(p, w, a.experts, x);
  });
  combine(p.device, {.out = out,
                     .rows = a.experts.rows,
                     .weights = a.weights,
                     .row_of = a.experts.row_of,
                     .shared = has_shared ? out : Tensor()});
}

namespace {

// dx without the router's part, and g.weights.
void experts_backward(const Pass& p, const MoeWeights& w, MoeWeights& dw, MoeActivations& a, Gradients& g,
                      const Tensor& x, const Tensor& dout, const Tensor& dx) {
  ExpertActivations& e = a.experts;
  const Tensor dpermuted = p.deferred ? g.expert_x : e.dx();
  experts_recompute(p, e, x);
  combine_backward(p.device, {.drows = e.drows(),
                              .dweights = g.weights,
                              .dout = dout,
                              .rows = e.rows,
                              .weights = a.weights,
                              .row_of = e.row_of});
  experts_backward_hidden(p, w, e, g.expert_act);
  if (!p.deferred) experts_backward_weight(p, w, dw, e);  // e.x is overwritten next
  experts_backward_input(p, w, e, dpermuted);
  permute_backward(p.device, {.dx = dx, .dout = dpermuted, .row_of = e.row_of});
  if (w.shared_experts.down_proj)
    mlp_backward(p, w.shared_experts, dw.shared_experts, a.shared, g, x, dout, dx, /*accumulate=*/true);
}

void router_backward_weight(const Pass& p, MoeWeights& dw, const Tensor& dlogits, const Tensor& x) {
  if (!dw.gate) return;  // frozen
  linear_backward_weight(p.device, {.dw = dw.gate.data, .dout = dlogits, .x = x, .accumulate = p.accumulate});
}

}  // namespace

void moe_backward_weight(const Pass& p, const MoeWeights& w, MoeWeights& dw, const MoeActivations& a,
                         const Tensor& x, const Tensor& dout) {
  experts_backward_weight(p, w, dw, a.experts);
  if (w.shared_experts.down_proj)
    mlp_backward_weight(p, w.shared_experts, dw.shared_experts, a.shared, x, dout);
  router_backward_weight(p, dw, a.dlogits(), x);
}

void moe_backward(const Pass& p, const MoeWeights& w, MoeWeights& dw, MoeActivations& a, Gradients& g,
                  const Tensor& x, const Tensor& dout, const Tensor& dx) {
  const Config& c = p.config;
  Device& device = p.device;
  if (p.exchange)
    exchanged_backward(p, w, dw, a, g, x, dout, dx);
  else
    experts_backward(p, w, dw, a, g, x, dout, dx);

  // The router: through the chosen weights, and through all scores from the balance losses.
  balance_loss_backward(device, {.dscores = g.scores,
                                 .prices = a.prices.slice(0, p.balance_starts.cols() - 1),
                                 .sequence_starts = p.balance_starts,
                                 .tokens = p.balance_tokens,
                                 .weight = p.balance_weight});
  router_backward(device, {.dlogits = g.scores,
                           .dweights = g.weights,
                           .dscores = g.scores,
                           .scores = a.scores,
                           .ids = a.ids,
                           .normalize = c.norm_topk_prob,
                           .scaling = c.routed_scaling_factor});
  linear_backward_input(device, {.dx = dx, .dout = g.scores, .w = w.gate, .accumulate = true});
  if (p.deferred)
    std::swap(a.scores, g.scores);
  else
    router_backward_weight(p, dw, g.scores, x);
}

}  // namespace fathom
