#include "train/exchange_memory.h"

#include <cmath>
#include <vector>

#include "ops/dispatch.h"
#include "tensor/growing_arena.h"
#include "train/expert_spread.h"

namespace fathom {
namespace {

// Follows the passes of a micro-batch: a stack of the layers' tensors on a planning arena.
class ExchangePlan {
 public:
  ExchangePlan(const Config& c, DType dtype, const ExchangeSize& size)
      : dtype_(dtype),
        deferred_(size.deferred),
        K_(c.num_experts_per_tok),
        C_(c.hidden_size),
        F_(c.moe_intermediate_size),
        experts_(c.n_routed_experts / size.expert_ranks),
        S_(rounded(static_cast<double>(size.tokens) * ranks_per_token(c, size.expert_ranks))),
        T_(rounded(static_cast<double>(S_) * size.expert_load)),
        M_(rounded(static_cast<double>(size.tokens * K_) * size.expert_load)) {}

  // What the backward pass needs stays when `kept`.
  void forward(const Recompute& recompute, bool kept) {
    const int64_t begin = arena_.used();
    stat(T_ * K_), ints(experts_ + 1), ints(T_ * K_), ints(T_ * K_);
    any(M_ * 2 * F_), any(M_ * C_);
    any((recompute.dispatch ? T_ : M_) * C_);
    if (!recompute.swiglu) any(M_ * F_);
    const int64_t needed = arena_.used();
    any((recompute.dispatch ? M_ : T_) * C_);
    if (recompute.swiglu) any(M_ * F_);
    any(S_ * C_), ints(S_ * K_), stat(S_ * K_), ints(T_ * K_);
    arena_.rewind(kept ? needed : begin);
  }

  // Of the layer that was begun at `begin`.
  void backward(const Recompute& recompute, bool deferred, int64_t begin) {
    if (recompute.swiglu) any(M_ * F_);
    if (recompute.dispatch) any(M_ * C_);
    const int64_t read_by_weight_gradients = arena_.used();
    any(S_ * C_), any(T_ * C_), stat(S_ * K_), stat(T_ * K_);
    any(M_ * F_), any(M_ * C_);
    arena_.rewind(deferred ? read_by_weight_gradients : begin);
  }

  bool deferred() const { return deferred_; }
  int64_t used() const { return arena_.used(); }
  int64_t peak() const { return arena_.peak(); }

 private:
  static int64_t rounded(double n) { return static_cast<int64_t>(std::ceil(n)); }
  void any(int64_t n) { arena_.allocate(dtype_, {n}); }
  void stat(int64_t n) { arena_.allocate(stat_of(dtype_), {n}); }
  void ints(int64_t n) { arena_.allocate(DType::i32, {n}); }

  const DType dtype_;
  const bool deferred_;
  const int64_t K_, C_, F_, experts_;
  const int64_t S_, T_, M_;  // tokens sent, tokens that arrive, their choices of these experts
  Arena arena_;
};

}  // namespace

int64_t exchange_bytes(const Config& c, const ModelPart& part, DType dtype, const ExchangeSize& size) {
  if (size.expert_ranks == 1) return 0;
  ExchangePlan plan(c, dtype, size);
  std::vector<int64_t> begin(static_cast<size_t>(c.num_hidden_layers));
  const auto begin_of = [&](int64_t layer) -> int64_t& { return begin[static_cast<size_t>(layer)]; };
  for (int64_t i = part.first_layer; i < part.end_layer(c); ++i) {
    begin_of(i) = plan.used();
    if (c.is_moe_layer(i)) plan.forward(size.recompute, i >= size.recompute.layers);
  }
  for (int64_t i = part.end_layer(c) - 1; i >= part.first_layer; --i) {
    if (!c.is_moe_layer(i)) continue;
    const bool again = i < size.recompute.layers;
    const Recompute recompute = again ? Recompute{} : size.recompute;
    if (again) begin_of(i) = plan.used(), plan.forward(recompute, true);
    plan.backward(recompute, plan.deferred() && !again, begin_of(i));
  }
  return plan.peak() > 0 ? GrowingArena::size_for(plan.peak()) : 0;
}

}  // namespace fathom
