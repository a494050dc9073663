#include "model/scoring_pass.h"

#include <cassert>

#include "ops/cross_entropy.h"
#include "tensor/memory.h"

namespace fathom {

ScoringPass::ScoringPass(Device& device, const Model& model, int64_t tokens, const char* remedy)
    : device_(device), model_(model), tokens_(tokens), memory_("scoring", bytes(tokens), device, remedy) {}

ScoringPass::Work ScoringPass::lay_out(Arena& arena, const BatchSize& size) const {
  Work w;
  w.batch = allocate_batch(arena, size);
  w.targets = arena.allocate(DType::i32, {size.tokens});
  w.values = arena.allocate(DType::f32, {size.tokens});
  w.activations = allocate_activations(model_.config, arena, model_.dtype, Purpose::serving, size);
  return w;
}

int64_t ScoringPass::bytes(int64_t tokens) const {
  Arena plan;
  lay_out(plan, {.tokens = tokens, .sequences = tokens, .keys = tokens});
  return plan.used() + head_bytes(model_.config, model_.dtype, tokens, device_.on_host());
}

Tensor ScoringPass::forward(const HostBatch& host, const HostReplay* replay) {
  memory_.rewind(0);
  work_ = lay_out(memory_, host.size());
  upload_batch(device_, model_.config, host, work_.batch);
  if (replay) {
    const Config& c = model_.config;
    if (!replay_memory_.data()) replay_memory_ = Arena("routing replay", replay_bytes(c, tokens_, tokens_), device_);
    replay_memory_.rewind(0);
    replay_ = allocate_replay(device_, c, replay_memory_, *replay);
    work_.batch.replay = &replay_;
  }
  return model_forward(device_, model_, work_.batch, work_.activations);
}

std::vector<float> ScoringPass::head_values(const Tensor& hidden, const LossFunction& loss) {
  head_forward(device_, model_, hidden, memory_, loss);
  std::vector<float> values(static_cast<size_t>(hidden.rows()));
  download(device_, Tensor(values.data(), DType::f32, {hidden.rows()}), work_.values);
  return values;
}

std::vector<float> ScoringPass::losses(const HostBatch& host, std::span<const int32_t> targets,
                                       double temperature, const HostReplay* replay) {
  assert(targets.size() == host.tokens.size());
  if (targets.empty()) return {};
  const Tensor hidden = forward(host, replay);
  upload(device_, work_.targets, ConstTensor(targets.data(), DType::i32, {hidden.rows()}));
  return head_values(hidden, [&](int64_t first, const Tensor& logits, const Tensor&) {
    cross_entropy(device_, {.losses = work_.values.slice(first, logits.rows()),
                            .logits = logits,
                            .targets = work_.targets.slice(first, logits.rows()),
                            .temperature = temperature});
  });
}

std::vector<float> ScoringPass::scores(const HostBatch& host) {
  if (host.tokens.empty()) return {};
  const Tensor hidden = forward(host, nullptr);
  return head_values(hidden, [&](int64_t first, const Tensor& logits, const Tensor&) {
    copy(device_, work_.values.slice(first, logits.rows()).reshape({logits.rows(), 1}), logits.columns(0, 1));
  });
}

}  // namespace fathom
