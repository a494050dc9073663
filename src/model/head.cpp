#include "model/head.h"

#include <algorithm>

#include "ops/linear.h"
#include "tensor/memory.h"

namespace fathom {
namespace {

struct Chunk {
  Tensor logits, dlogits;
};

// f32 models keep dlogits in place of the logits; bf16 models in a bf16 copy, which the products read at half
// the cost.
Chunk allocate_chunk(const Config& c, Arena& arena, DType dtype, int64_t rows, bool backward) {
  Chunk chunk;
  chunk.logits = arena.allocate(stat_of(dtype), {rows, c.head_rows()});
  if (backward)
    chunk.dlogits = dtype == DType::bf16 ? arena.allocate(dtype, {rows, c.head_rows()}) : chunk.logits;
  return chunk;
}

void for_each_chunk(const Device& device, const Model& m, int64_t N, Arena& scratch, bool backward,
                    const std::function<void(int64_t first, const Chunk&)>& body) {
  const int64_t mark = scratch.used(), rows = logits_chunk_rows(m.config, m.dtype, N, device.on_host());
  const Chunk whole = allocate_chunk(m.config, scratch, m.dtype, rows, backward);
  for (int64_t first = 0; first < N; first += rows) {
    const int64_t n = std::min(rows, N - first);
    body(first, {whole.logits.slice(0, n), backward ? whole.dlogits.slice(0, n) : Tensor()});
  }
  scratch.rewind(mark);
}

}  // namespace

int64_t logits_chunk_rows(const Config& c, DType dtype, int64_t N, bool on_host) {
  return std::clamp<int64_t>(logits_chunk_bytes(on_host) / (c.head_rows() * size_of(stat_of(dtype))), 1,
                             std::max<int64_t>(N, 1));
}

int64_t head_bytes(const Config& c, DType dtype, int64_t N, bool on_host) {
  Arena plan;
  allocate_chunk(c, plan, dtype, logits_chunk_rows(c, dtype, N, on_host), true);
  return plan.used();
}

void head_logits(Device& device, const Model& m, const Tensor& hidden, const Tensor& logits) {
  linear_forward(device, {.out = logits, .x = hidden, .w = m.weights.head});
}

void head_forward(Device& device, const Model& m, const Tensor& hidden, Arena& scratch,
                  const LossFunction& loss) {
  for_each_chunk(device, m, hidden.rows(), scratch, false, [&](int64_t first, const Chunk& chunk) {
    head_logits(device, m, hidden.slice(first, chunk.logits.rows()), chunk.logits);
    loss(first, chunk.logits, {});
  });
}

void head_backward(Device& device, const Model& m, const Tensor& hidden, Arena& scratch,
                   const LossFunction& loss, const Tensor& dhidden, WeightGradients& grads) {
  const Tensor& dw = grads.weights.head.data;  // none of a head that is frozen
  if (dw && hidden.rows() == 0 && !grads.accumulate) clear(device, dw);
  for_each_chunk(device, m, hidden.rows(), scratch, true, [&](int64_t first, const Chunk& chunk) {
    const int64_t n = chunk.logits.rows();
    head_logits(device, m, hidden.slice(first, n), chunk.logits);
    loss(first, chunk.logits, chunk.dlogits);
    if (dw)
      linear_backward_weight(device, {.dw = dw,
                                      .dout = chunk.dlogits,
                                      .x = hidden.slice(first, n),
                                      .accumulate = grads.accumulate || first > 0});
    linear_backward_input(device,
                          {.dx = dhidden.slice(first, n), .dout = chunk.dlogits, .w = m.weights.head});
  });
}

}  // namespace fathom
