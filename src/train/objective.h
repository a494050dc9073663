// What a run minimises. The model's passes are the same for all of them: an objective gives the head its loss
// function (model/head.h).
#pragma once
#include <string>
#include <vector>

#include "model/head.h"
#include "train/micro_batch.h"
#include "train/packed_step.h"

namespace fathom {

// A micro-batch whose forward pass has been made.
struct PassedBatch {
  const PackedBatch& packed;
  const MicroBatch& micro;
  Tensor hidden;  // [N, C]
  Arena& scratch;
};

class Objective {
 public:
  virtual ~Objective() = default;

  // The loss function that head_forward or head_backward comes next with. The sum of micro.losses is then the
  // micro-batch's loss, and the gradient that of `scale` times it.
  virtual LossFunction loss(Device& device, const Model& model, const PassedBatch& batch, double scale) = 0;

  // What it measures beside the loss, summed since the last call: a step's means are these sums, of all ranks,
  // over the step's weight.
  struct Sum {
    std::string name;
    double value = 0;
  };
  virtual std::vector<Sum> take_sums() { return {}; }
};

// The mean of next-token cross-entropy over the targets, by their weights: pretraining and SFT.
class TokenObjective : public Objective {
 public:
  LossFunction loss(Device& device, const Model& model, const PassedBatch& batch, double scale) override;
};

}  // namespace fathom
