#include "align/policy_head.h"

#include "ops/cross_entropy.h"
#include "tensor/memory.h"

namespace fathom {

TargetLogProbs target_log_probs(Device& device, const Model& model, const PassedBatch& batch, double temperature,
                                bool entropies) {
  const MicroBatch& m = batch.micro;
  const int64_t N = batch.hidden.rows();
  head_forward(device, model, batch.hidden, batch.scratch,
               [&](int64_t first, const Tensor& logits, const Tensor&) {
                 const auto rows = [&](const Tensor& all) { return all.slice(first, logits.rows()); };
                 cross_entropy(device, {.losses = rows(m.head_losses),
                                        .entropies = entropies ? rows(m.losses) : Tensor(),
                                        .logits = logits,
                                        .targets = rows(m.targets),
                                        .temperature = temperature});
               });
  TargetLogProbs probs;
  const auto read = [&](const Tensor& from, std::vector<float>& to) {
    to.resize(static_cast<size_t>(N));
    if (N > 0) download(device, Tensor(to.data(), DType::f32, {N}), from);
  };
  read(m.head_losses, probs.values);
  for (float& value : probs.values) value = -value;
  if (entropies) read(m.losses, probs.entropies);
  return probs;
}

LossFunction policy_gradient(Device& device, const PassedBatch& batch, const std::vector<float>& dlogp,
                             const std::vector<float>& losses, double scale, double temperature) {
  const MicroBatch& m = batch.micro;
  const int64_t N = batch.hidden.rows();
  std::vector<float> weights;  // of cross-entropy, which is the negative log-probability
  for (const float g : dlogp) weights.push_back(-g);
  if (N > 0) {
    upload(device, m.weights, ConstTensor(weights.data(), DType::f32, {N}));
    upload(device, m.losses, ConstTensor(losses.data(), DType::f32, {N}));
  }
  return [&device, &m, scale, temperature](int64_t first, const Tensor& logits, const Tensor& dlogits) {
    if (!dlogits) return;
    const auto rows = [&](const Tensor& all) { return all.slice(first, logits.rows()); };
    cross_entropy(device, {.losses = rows(m.head_losses),
                           .dlogits = dlogits,
                           .logits = logits,
                           .targets = rows(m.targets),
                           .weights = rows(m.weights),
                           .scale = scale,
                           .temperature = temperature});
  };
}

}  // namespace fathom
