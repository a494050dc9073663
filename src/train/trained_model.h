// The model that a run trains, as far as this rank holds it: weights, gradients, the optimizer's state of
// what it owns of them; and ZeRO-1's two exchanges with the ranks that hold the same weights.
#pragma once
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "model/model.h"
#include "train/optimizer.h"
#include "train/rank_groups.h"
#include "train/weight_groups.h"

namespace fathom {

class TrainedModel {
 public:
  // Allocates everything once. `ranks` must outlive it.
  TrainedModel(const Device& device, RankGroups& ranks, const Config& config, DType dtype);
  TrainedModel(const TrainedModel&) = delete;
  // Waits for the weights that are under way.
  ~TrainedModel();

  // Starts from the recipe's model folder, or where there is none from fresh weights, with its adapters: the
  // same for every plan.
  void start(Device& device, const Recipe& recipe);
  // What a checkpoint of adapters lacks: the frozen weights, from the recipe's model folder.
  void load_frozen(Device& device, const Recipe& recipe);

  // Of a rank that has no part in a step.
  void clear_gradients(const Device& device);
  // What this rank owns of the gradients becomes the sum of all ranks', from the last layer to the first:
  // beside what follows those of `layer` and behind, which must not be written any more; and all of them,
  // done when it returns. Every rank makes them in this order, whether or not it has anything to do beside.
  void start_reducing(int64_t layer);
  void reduce_gradients();

  // The others get what this rank owns of the weights, in the order of their use: beside the next forward
  // pass, which waits for each layer's before it reads them (Model::before_layer). Until all are here, nobody
  // may write weights that are trained, and nobody else may read them.
  void start_gathering();
  void finish_gathering() const;

  // The name of the first weight here that has an element that is not finite, or of the first of whose
  // gradients it is so in what this rank added to them; empty where there is none. After reduce_gradients().
  std::string weight_that_is_not_finite(const Device& device) const;
  std::string gradient_that_is_not_finite(const Device& device) const;

  int64_t gradient_bytes() const { return gradient_arena_.used(); }

  const WeightGroups& groups() const { return groups_; }
  Model& model() { return model_; }
  const Model& model() const { return model_; }
  WeightGradients& gradients() { return gradients_; }
  Optimizer& optimizer() { return optimizer_; }
  const Optimizer& optimizer() const { return optimizer_; }

 private:
  // Of a layer and those before it.
  void finish_gathering(int64_t layer) const;
  // Those that hold a group.
  Communicator& holders(const WeightGroup& group) {
    return group.routed ? ranks_.expert_replicas() : ranks_.replicas();
  }

  RankGroups& ranks_;
  const WeightGroups groups_;
  WeightMemory weight_memory_;
  Model model_;
  Arena gradient_arena_;
  WeightMemory gradient_memory_;
  WeightGradients gradients_;
  Optimizer optimizer_;
  const size_t most_pending_;
  size_t unreduced_;                                          // groups of this step, the first ones
  std::deque<Pending> pending_;                               // of the others
  mutable std::deque<std::pair<int64_t, Pending>> gathered_;  // that are not here yet, with their layers
};

}  // namespace fathom
