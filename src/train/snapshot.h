// Snapshot: a checkpoint's tensors as they were at one moment, in the host's memory, so that they can be
// written while a GPU trains on.
#pragma once
#include "model/model.h"
#include "train/optimizer.h"

namespace fathom {

class Snapshot {
 public:
  // Memory for this model's and this optimizer's state. Error when there is too little.
  Snapshot(const Device& device, const Model& model);
  Snapshot(const Snapshot&) = delete;

  // Copies both and waits until they are there.
  void take(const Device& device, const Model& model, const Optimizer& optimizer);

  const Model& model() const { return model_; }
  const Optimizer& optimizer() const { return optimizer_; }

 private:
  Model model_;
  Optimizer optimizer_;
};

}  // namespace fathom
