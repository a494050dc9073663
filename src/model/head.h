// The head, in chunks of rows so that [N, V] logits never exist at once: each chunk's logits go to a loss,
// which answers with their gradient. A score head's logits are scores, and V is num_labels
// (Config::head_rows).
#pragma once
#include <functional>

#include "model/model.h"

namespace fathom {

// Bytes of scratch logits a chunk may take: on a CPU what stays near its caches; on a GPU enough that adding
// each chunk to the head's gradient, all of which is read and written, costs little.
constexpr int64_t logits_chunk_bytes(bool on_host) {
  return int64_t{on_host ? 16 : 512} << 20;
}

// Rows of a chunk: as many as fit logits_chunk_bytes, at least 1, at most N.
int64_t logits_chunk_rows(const Config& config, DType dtype, int64_t N, bool on_host);
// Bytes of the arena that head_forward and head_backward take for N rows.
int64_t head_bytes(const Config& config, DType dtype, int64_t N, bool on_host);

// logits = hidden head^T, in the stat type.
void head_logits(Device& device, const Model& model, const Tensor& hidden /* [n, C] */,
                 const Tensor& logits /* [n, V] stat */);

// A loss over rows first .. first+n-1. It reads logits [n, V] (stat) and, when dlogits [n, V] is present,
// writes their gradient there (it may be the same memory as logits, or bf16 when the model is).
using LossFunction = std::function<void(int64_t first, const Tensor& logits, const Tensor& dlogits)>;

// Loss only.
void head_forward(Device& device, const Model& model, const Tensor& hidden /* [N, C] */, Arena& scratch,
                  const LossFunction& loss);
// Loss and gradients: dhidden = dlogits head; grads' head (=|+=) dlogits^T hidden. model_backward
// follows.
void head_backward(Device& device, const Model& model, const Tensor& hidden /* [N, C] */, Arena& scratch,
                   const LossFunction& loss, const Tensor& dhidden /* [N, C] */, WeightGradients& grads);

}  // namespace fathom
