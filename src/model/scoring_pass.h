// A model over packed sequences without gradients, for what its head says of each token. The memory is taken
// once.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "model/activations.h"
#include "model/batch.h"
#include "model/expert_replay.h"
#include "model/head.h"

namespace fathom {

class ScoringPass {
 public:
  // For batches of up to so many tokens in up to as many sequences; `remedy` says in an error how the user can
  // make that less. Device and model must outlive it; the model's weights may change between two calls.
  ScoringPass(Device& device, const Model& model, int64_t tokens, const char* remedy);

  // The cross-entropy of each target, at this temperature; 0 where it is ignored. With a replay its experts are
  // taken.
  std::vector<float> losses(const HostBatch& batch, std::span<const int32_t> targets /* [N] */,
                            double temperature = 1, const HostReplay* replay = nullptr);
  // The first logit of each token: of a model with a score head of one label, the scores.
  std::vector<float> scores(const HostBatch& batch);

 private:
  struct Work {
    Batch batch;
    Tensor targets;  // [N] i32
    Tensor values;   // [N] f32
    Activations activations;
  };
  Work lay_out(Arena& arena, const BatchSize& size) const;
  int64_t bytes(int64_t tokens) const;
  // Runs the model and lays out work_ for the batch; nothing where it has no tokens.
  Tensor forward(const HostBatch& batch, const HostReplay* replay);
  std::vector<float> head_values(const Tensor& hidden, const LossFunction& loss);

  Device& device_;
  const Model& model_;
  int64_t tokens_;  // at most
  Arena memory_, replay_memory_;  // the second from the first replay on
  ExpertReplay replay_;
  Work work_;
};

}  // namespace fathom
