// Experts on several ranks (expert parallelism): each rank holds its share of every MoE layer's routed
// experts (ModelPart) and everything else whole. A layer sends a token's normed state once to each rank that
// holds any of its experts; that rank adds up what its experts make of it, by the router's weights, and sends
// back one row. The backward pass sends the gradients along the same ways.
#pragma once
#include "comm/communicator.h"
#include "model/config.h"
#include "model/part.h"
#include "tensor/growing_arena.h"
#include "tensor/memory.h"

namespace fathom {

// The ranks among which tokens travel, and memory for those that arrive, how many is known only then: it
// belongs to one set of activations, whose layers stack it up in the forward pass and give it back in the
// backward pass.
struct ExpertExchange {
  // Error unless rank r of R holds exactly experts r * E/R .. (r+1) * E/R - 1. Both must outlive this.
  ExpertExchange(const Config& config, const ModelPart& part, const Device& device, Communicator& ranks);

  Communicator& ranks;
  GrowingArena memory;
  Staging staging;
};

}  // namespace fathom
