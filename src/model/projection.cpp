#include "model/projection.h"

#include "model/expert_exchange.h"
#include "ops/absorb.h"
#include "ops/grouped_linear.h"
#include "ops/linear.h"
#include "ops/scale.h"

namespace fathom {
namespace {

// The three products with a matrix, dense ...
struct Dense {
  Device& device;

  void forward(const Tensor& out, const Tensor& x, const Weight& w, bool accumulate) const {
    linear_forward(device, {.out = out, .x = x, .w = w, .accumulate = accumulate});
  }
  void backward_input(const Tensor& dx, const Tensor& dout, const Weight& w, bool accumulate) const {
    linear_backward_input(device, {.dx = dx, .dout = dout, .w = w, .accumulate = accumulate});
  }
  void backward_weight(const Tensor& dw, const Tensor& dout, const Tensor& x, bool accumulate) const {
    linear_backward_weight(device, {.dw = dw, .dout = dout, .x = x, .accumulate = accumulate});
  }
};
// ... and by expert.
struct ByExpert {
  Device& device;
  Tensor offsets;

  void forward(const Tensor& out, const Tensor& x, const Weight& w, bool accumulate) const {
    grouped_linear_forward(device,
                           {.out = out, .x = x, .w = w, .offsets = offsets, .accumulate = accumulate});
  }
  void backward_input(const Tensor& dx, const Tensor& dout, const Weight& w, bool accumulate) const {
    grouped_linear_backward_input(
        device, {.dx = dx, .dout = dout, .w = w, .offsets = offsets, .accumulate = accumulate});
  }
  void backward_weight(const Tensor& dw, const Tensor& dout, const Tensor& x, bool accumulate) const {
    grouped_linear_backward_weight(
        device, {.dw = dw, .dout = dout, .x = x, .offsets = offsets, .accumulate = accumulate});
  }
};

// Memory for products of rank r. How many tokens arrive from other ranks is known only now: theirs lie above
// them.
class Scratch {
 public:
  Scratch(const Pass& pass, bool of_arrivals)
      : arrivals_(of_arrivals && pass.exchange ? &pass.exchange->memory : nullptr),
        mark_(arrivals_ ? arrivals_->used() : 0),
        rest_(pass.low_rank) {}
  Scratch(const Scratch&) = delete;
  ~Scratch() {
    if (arrivals_) arrivals_->rewind(mark_);
  }

  Tensor take(int64_t rows, int64_t rank, DType dtype) {
    if (arrivals_) return arrivals_->allocate(dtype, {rows, rank});
    const Tensor taken = rest_.slice(0, rows * rank).reshape({rows, rank});
    rest_ = rest_.slice(rows * rank, rest_.count() - rows * rank);
    return taken;
  }

 private:
  GrowingArena* arrivals_;
  int64_t mark_;
  Tensor rest_;
};

// What block k of an adapter's rows is of the output, and of B.
Tensor columns_of(const Tensor& out, const OutputRows& rows, int64_t k) {
  return out.columns(rows.first + k * rows.stride, rows.height);
}
Tensor block_of(const Weight& b, const OutputRows& rows, int64_t k) {
  return rows.blocks == 1 ? b.data : b.data.slice(k * rows.height, rows.height);
}

// scale * A x, [N, r]
template <class Product>
Tensor reduced(const Product& product, Scratch& scratch, const LowRank& l, const Tensor& x) {
  const Tensor t = scratch.take(x.rows(), l.rank(), x.dtype);
  product.forward(t, x, l.a, false);
  scale(product.device, {.x = t, .factor = l.scale});
  return t;
}
// scale * dout B, [N, r]
template <class Product>
Tensor reduced_gradient(const Product& product, Scratch& scratch, const LowRank& l, const Tensor& dout) {
  const Tensor u = scratch.take(dout.rows(), l.rank(), dout.dtype);
  for (int64_t k = 0; k < l.rows.blocks; ++k)
    product.backward_input(u, columns_of(dout, l.rows, k), block_of(l.b, l.rows, k), k > 0);
  scale(product.device, {.x = u, .factor = l.scale});
  return u;
}

template <class Product>
void add(const Pass& p, const Product& product, bool arrived, const Tensor& out, const Tensor& x,
         const Projection& w) {
  for (const LowRank& l : w.low_rank) {
    Scratch scratch(p, arrived);
    const Tensor t = reduced(product, scratch, l, x);
    for (int64_t k = 0; k < l.rows.blocks; ++k)
      product.forward(columns_of(out, l.rows, k), t, block_of(l.b, l.rows, k), true);
  }
}

template <class Product>
void add_backward_input(const Pass& p, const Product& product, bool arrived, const Tensor& dx,
                        const Tensor& dout, const Projection& w) {
  for (const LowRank& l : w.low_rank) {
    Scratch scratch(p, arrived);
    product.backward_input(dx, reduced_gradient(product, scratch, l, dout), l.a, true);
  }
}

template <class Product>
void low_rank_backward_weight(const Pass& p, const Product& product, bool arrived, const Projection& w,
                              const Projection& dw, const Tensor& dout, const Tensor& x) {
  for (size_t i = 0; i < w.low_rank.size(); ++i) {
    const LowRank &l = w.low_rank[i], &dl = dw.low_rank[i];
    Scratch scratch(p, arrived);
    const Tensor t = reduced(product, scratch, l, x), u = reduced_gradient(product, scratch, l, dout);
    for (int64_t k = 0; k < l.rows.blocks; ++k)
      product.backward_weight(block_of(dl.b, l.rows, k), columns_of(dout, l.rows, k), t, p.accumulate);
    product.backward_weight(dl.a.data, u, x, p.accumulate);
  }
}

// kv_b_proj or an adapter's B by heads: [H, Dn+Dv, Rkv] or [H, Dn+Dv, r].
Tensor by_heads(const Config& c, const Tensor& rows) {
  return rows.reshape({c.num_attention_heads, c.qk_nope_head_dim + c.v_head_dim, rows.cols()});
}
// [N, H, W] as [N*H, W], and back.
Tensor all_heads(const Tensor& t) {
  return t.reshape({t.shape[0] * t.shape[1], t.shape[2]});
}
Tensor like_heads(const Tensor& rows, const Tensor& heads) {
  return rows.reshape({heads.shape[0], heads.shape[1], rows.cols()});
}

}  // namespace

void project(const Pass& p, const Tensor& out, const Tensor& x, const Projection& w, const Tensor& bias) {
  linear_forward(p.device, {.out = out, .x = x, .w = w.weight, .bias = bias});
  add(p, Dense{p.device}, false, out, x, w);
}

void project_backward_input(const Pass& p, const Tensor& dx, const Tensor& dout, const Projection& w,
                            bool accumulate) {
  linear_backward_input(p.device, {.dx = dx, .dout = dout, .w = w.weight, .accumulate = accumulate});
  add_backward_input(p, Dense{p.device}, false, dx, dout, w);
}

void project_backward_weight(const Pass& p, const Projection& w, const Projection& dw, const Tensor& dout,
                             const Tensor& x, const Tensor& dbias) {
  if (dw.weight)
    linear_backward_weight(
        p.device, {.dw = dw.weight.data, .dbias = dbias, .dout = dout, .x = x, .accumulate = p.accumulate});
  low_rank_backward_weight(p, Dense{p.device}, false, w, dw, dout, x);
}

void project_experts(const Pass& p, const Tensor& out, const Tensor& x, const Projection& w,
                     const Tensor& offsets) {
  grouped_linear_forward(p.device, {.out = out, .x = x, .w = w.weight, .offsets = offsets});
  add(p, ByExpert{p.device, offsets}, true, out, x, w);
}

void project_experts_backward_input(const Pass& p, const Tensor& dx, const Tensor& dout, const Projection& w,
                                    const Tensor& offsets) {
  grouped_linear_backward_input(p.device, {.dx = dx, .dout = dout, .w = w.weight, .offsets = offsets});
  add_backward_input(p, ByExpert{p.device, offsets}, true, dx, dout, w);
}

void project_experts_backward_weight(const Pass& p, const Projection& w, const Projection& dw,
                                     const Tensor& dout, const Tensor& x, const Tensor& offsets) {
  if (dw.weight)
    grouped_linear_backward_weight(
        p.device,
        {.dw = dw.weight.data, .dout = dout, .x = x, .offsets = offsets, .accumulate = p.accumulate});
  low_rank_backward_weight(p, ByExpert{p.device, offsets}, true, w, dw, dout, x);
}

void absorb_queries(const Pass& p, const Tensor& q_latent, const Tensor& q_nope, const Projection& kv_b) {
  absorb_query(p.device,
               {.q_latent = q_latent, .q_nope = q_nope, .kv_b = by_heads(p.config, kv_b.weight.data)});
  for (const LowRank& l : kv_b.low_rank) {
    Scratch scratch(p, false);
    const Tensor t = scratch.take(q_nope.shape[0] * q_nope.shape[1], l.rank(), q_nope.dtype);
    absorb_query(p.device,
                 {.q_latent = like_heads(t, q_nope), .q_nope = q_nope, .kv_b = by_heads(p.config, l.b.data)});
    scale(p.device, {.x = t, .factor = l.scale});
    linear_backward_input(p.device, {.dx = all_heads(q_latent), .dout = t, .w = l.a, .accumulate = true});
  }
}

void absorb_outputs(const Pass& p, const Tensor& out, const Tensor& ctx, const Projection& kv_b) {
  absorb_output(p.device, {.out = out, .ctx = ctx, .kv_b = by_heads(p.config, kv_b.weight.data)});
  for (const LowRank& l : kv_b.low_rank) {
    Scratch scratch(p, false);
    const Tensor t = reduced(Dense{p.device}, scratch, l, all_heads(ctx));
    absorb_output(
        p.device,
        {.out = out, .ctx = like_heads(t, ctx), .kv_b = by_heads(p.config, l.b.data), .accumulate = true});
  }
}

}  // namespace fathom
