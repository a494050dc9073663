// AdamW over the weights that this process updates, all of a model's or its pieces (train/weight_groups.h):
// the moments, the f32 master copies of bf16 weights, and the squares of the gradient norm. A weight that is
// stored in f32 itself, as a router is, has no master copy.
#pragma once
#include <cstdint>
#include <vector>

#include "io/slice_writer.h"
#include "model/model.h"
#include "ops/adamw.h"
#include "train/recipe.h"
#include "train/stored_slices.h"
#include "train/weight_groups.h"

namespace fathom {

// What a user can do when there is no memory for what grows with the model.
constexpr const char* smaller_model =
    "fewer parameters take less: model.num_hidden_layers, model.n_routed_experts";

// Room to make the values in that a run starts from, exactly: the gradients' memory, which has no other use
// yet, and of what is not trained the model's own.
Weights starting_weights(const Model& model, const Weights& grads);

class Optimizer {
 public:
  // State for these pieces of the model and of its gradients (stat type), both of which must outlive it; all
  // zero, the master copies too.
  Optimizer(const Device& device, Model& model, const Weights& grads, std::vector<WeightPiece> pieces);
  // The same in memory that is given: bytes() + bytes_beside of it.
  Optimizer(Model& model, const Weights& grads, std::vector<WeightPiece> pieces, Arena memory);

  // Of the moments and the master copies, and of what stands beside them.
  static int64_t bytes(const Model& model, const std::vector<WeightPiece>& pieces);
  static int64_t bytes(const Config& config, DType dtype, const ModelPart& part,
                       const std::vector<WeightPiece>& pieces);
  static constexpr int64_t bytes_beside = 64;

  // Of this one.
  int64_t bytes_taken() const { return memory_.used(); }

  // This state, the host's, becomes that of `from`, which is on this device; after synchronize().
  void copy_from(const Device& device, const Optimizer& from);

  // The model's weights become `exact` (stat type), rounded; the master copies become it. Where both are the
  // same memory nothing happens.
  void start_from(const Device& device, const Weights& exact);

  // Of the gradients of all pieces, summed in f64 in a fixed order: the same for every number of threads.
  double sum_of_squares(Device& device);

  // One step; grad_scale multiplies the gradients, step counts from 1. Norms and biases are not decayed (the
  // paper's weight decay of 0.1 does not say of what; here it is the matrices).
  void update(Device& device, const Recipe::Optimizer& settings, double lr, double grad_scale, int64_t step);

  // The state under the names of optimizer.safetensors (train/optimizer_file.h).
  std::vector<TensorSlice> slices() const;
  // The same of the weights themselves, under the names of the model's files; of a model with adapters those
  // that are trained, under the adapter's.
  std::vector<TensorSlice> weight_slices() const;
  // Fills the state from such a file, and weights that have a master copy there and none here.
  void load(const Device& device, const std::string& path);

 private:
  std::vector<SliceToRead> state() const;
  // One tensor of each piece; where it is absent there is no slice.
  std::vector<SliceToRead> slices_of(const std::string& prefix, Tensor AdamWTensor::*member) const;

  const Model& model_;
  std::vector<NamedWeight> weights_;
  std::vector<WeightPiece> pieces_;  // that are trained
  std::vector<WeightPiece> fixed_;   // that are not
  Arena memory_;
  Tensor squares_;                       // [1] f64
  std::vector<AdamWTensor> parameters_;  // of each piece
};

}  // namespace fathom
