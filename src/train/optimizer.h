// AdamW over a whole model: the moments, the f32 master copies of bf16 weights, and the global gradient norm.
// A weight that is stored in f32 itself, as a router is, has no master copy.
#pragma once
#include <cstdint>
#include <vector>

#include "io/safetensors.h"
#include "model/model.h"
#include "model/model_folder.h"
#include "ops/adamw.h"
#include "train/recipe.h"

namespace fathom {

// What a user can do when there is no memory for what grows with the model.
constexpr const char* smaller_model =
    "fewer parameters take less: model.num_hidden_layers, model.n_routed_experts";

class Optimizer {
 public:
  // State for this model and its gradients (stat type), both of which must outlive it; all zero, the master
  // copies too.
  Optimizer(const Device& device, Model& model, const Weights& grads);
  // The same in memory that is given: bytes() + bytes_beside of it.
  Optimizer(Model& model, const Weights& grads, Arena memory);

  // Of the moments and the master copies, and of what stands beside them.
  static int64_t bytes(const Config& config, DType dtype);
  static constexpr int64_t bytes_beside = 64;

  // This state, the host's, becomes that of `from`, which is on this device; after synchronize().
  void copy_from(const Device& device, const Optimizer& from);

  // What updates work on: of each weight its master copy when there is one, else the model's own.
  Weights& exact() { return exact_; }
  // After exact() was filled: the model's weights become its rounded copy.
  void round_master(const Device& device);

  // Over all parameters, summed in f64 in a fixed order: the same for every number of threads.
  double gradient_norm(Device& device);

  // One step; grad_scale multiplies the gradients, step counts from 1. Norms and biases are not decayed (the
  // paper's weight decay of 0.1 does not say of what; here it is the matrices).
  void update(Device& device, const Recipe::Optimizer& settings, double lr, double grad_scale, int64_t step);

  // The state under the names of optimizer.safetensors (train/optimizer_file.h).
  std::vector<TensorSlice> slices() const;
  // Fills it from such a file, and weights that have a master copy there and none here.
  void load(const Device& device, const std::string& path);

 private:
  std::vector<CheckpointPart> state() const;
  // The weights that are updated in place, without a master copy.
  Weights own_weights() const;

  const Model& model_;
  Arena memory_;
  Tensor squares_;  // [1] f64
  Weights m_, v_, master_, exact_;
  std::vector<AdamWTensor> parameters_;
};

}  // namespace fathom
