#include "train/snapshot.h"

#include "tensor/memory.h"

namespace fathom {
namespace {

Model host_model(const Device& device, const Model& model, const WeightGroups& groups) {
  Model copy{model.config,
             model.dtype,
             Arena::pinned("a copy of the weights", model.memory.size(), device),
             {},
             model.part};
  copy.weights = allocate_groups(copy.config, copy.memory, groups, copy.part).weights;
  return copy;
}

}  // namespace

// The optimizer's gradients are part of no checkpoint; anything of their shapes stands for them.
Snapshot::Snapshot(const Device& device, const Model& model, const WeightGroups& groups)
    : host_(Device::cpu(1)),
      model_(host_model(device, model, groups)),
      optimizer_(model_, model_.weights, groups.owned(),
                 Arena::pinned("a copy of the optimizer's state",
                               Optimizer::bytes(model, groups.owned()) + Optimizer::bytes_beside, device)) {}

void Snapshot::take(const Device& device, const Model& model, const Optimizer& optimizer) {
  download_arena_later(device, model_.memory, model.memory);
  optimizer_.copy_from(device, optimizer);
  synchronize(device);
}

}  // namespace fathom
