// Snapshot: a checkpoint's tensors as they were at one moment, in the host's memory, so that they can be
// written while a GPU trains on.
#pragma once
#include "model/model.h"
#include "train/optimizer.h"
#include "train/training_checkpoint.h"
#include "train/weight_groups.h"

namespace fathom {

class Snapshot {
 public:
  // Memory for this model's state and its optimizer's, as they lie in the device's. Error when there is too
  // little.
  Snapshot(const Device& device, const Model& model, const WeightGroups& groups);
  Snapshot(const Snapshot&) = delete;

  // Copies both and waits until they are there.
  void take(const Device& device, const Model& model, const Optimizer& optimizer);

  // Where they are.
  const Device& device() const { return host_; }
  std::vector<TensorSlice> slices() const { return checkpoint_slices(optimizer_); }

 private:
  Device host_;
  Model model_;
  Optimizer optimizer_;
};

}  // namespace fathom
