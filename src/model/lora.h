// Low-rank adapters (LoRA, Hu et al. 2021): beside a frozen projection W x stands scale * B (A x), with A [r,
// I] and B [O, r], of which training changes nothing else. Which projections have one is data, not code: the
// visitor of the weights (model/weights.h) lists A and B where this names them, and model/projection.h
// applies them.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>

namespace fathom {

struct LoraShape {
  int64_t rank = 0;  // r
  double alpha = 0;

  bool operator==(const LoraShape&) const = default;
};

// The adapters of a model; none by default.
struct Lora {
  bool rslora = false;  // scale = alpha / sqrt(r) (Kalajdzievski 2023); else alpha / r
  // By the projection's name in a checkpoint, "model.layers.0.self_attn.q_a_proj". Those of a layer's routed
  // experts, each with an A and a B of its own, are one entry: "model.layers.1.mlp.experts.down_proj".
  std::map<std::string, LoraShape> projections;

  explicit operator bool() const { return !projections.empty(); }
  double scale(const LoraShape& shape) const {
    const auto r = static_cast<double>(shape.rank);
    return shape.alpha / (rslora ? std::sqrt(r) : r);
  }
  int64_t largest_rank() const {
    int64_t rank = 0;
    for (const auto& [name, shape] : projections) rank = std::max(rank, shape.rank);
    return rank;
  }

  bool operator==(const Lora&) const = default;
};

}  // namespace fathom
