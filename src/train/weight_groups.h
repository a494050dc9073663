// How the weights of a rank lie in memory, and which of their elements it updates (ZeRO-1). The weights of
// one layer that the same ranks hold and that are stored in one type are a group: they lie one after another,
// and so do their gradients, so that a group is reduced and gathered as one tensor. Each of the ranks that
// hold a group owns one of as many equal slices of it: it alone has the moments and master copies of that
// slice.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/weights.h"
#include "tensor/arena.h"
#include "train/share.h"

namespace fathom {

struct WeightGroup {
  int64_t layer = 0;     // -1: the embedding; num_hidden_layers: final norm and head
  bool routed = false;   // routed experts, which fewer ranks hold than the rest
  bool trained = true;   // has gradients; all ranks change the others in the same way
  DType dtype;           // that the weights are stored in
  int64_t elements = 0;  // padding included: the ranks divide it
};

struct GroupedWeight {
  WeightInfo info;
  size_t group = 0;
  int64_t first = 0, count = 0;  // its elements in the group
};

// A run of elements of a weight.
struct WeightPiece {
  size_t weight = 0;  // in the order of visit()
  int64_t first = 0, count = 0;
};

struct WeightGroups {
  std::vector<WeightGroup> groups;
  std::vector<GroupedWeight> weights;  // in the order of visit()
  Share all, routed;                   // this rank among those that hold the same weights

  const Share& share_of(const WeightGroup& group) const { return group.routed ? routed : all; }
  // This rank's slice of a tensor of group.elements.
  Tensor slice_of(const WeightGroup& group, const Tensor& whole) const;
  // What this rank owns, in the order of the weights.
  std::vector<WeightPiece> owned() const;
};

// Of a part of a model that runs in `dtype`; all of it by default.
WeightGroups group_weights(const Config& config, DType dtype, const ModelPart& part = {},
                           const Share& all = {}, const Share& routed = {});

// Each weight as one piece: what a process alone owns.
std::vector<WeightPiece> whole_weights(const Config& config, const ModelPart& part = {});

// Weights and, as one tensor [elements] each, the groups that they lie in.
struct WeightMemory {
  Weights weights;
  std::vector<Tensor> groups;
};
// From an arena (which may be a planning one), in the type that each group is stored in.
WeightMemory allocate_groups(const Config& config, Arena& arena, const WeightGroups& groups,
                             const ModelPart& part = {});
int64_t group_bytes(const WeightGroups& groups);
// The same for gradients, in the accumulator's type: what is not trained has none.
WeightMemory allocate_gradient_groups(const Config& config, Arena& arena, const WeightGroups& groups,
                                      const ModelPart& part = {});
int64_t gradient_group_bytes(const WeightGroups& groups);

}  // namespace fathom
