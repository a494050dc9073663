// What the tokens that arrive at experts on several ranks take, by formula: the tensors that
// model/moe_exchange.cpp lays out, where every rank gets as many.
#pragma once
#include <cstdint>

#include "model/config.h"
#include "model/part.h"
#include "model/recompute.h"
#include "tensor/dtype.h"

namespace fathom {

// How the experts of a part are spread, and what reaches them.
struct ExchangeSize {
  int64_t tokens = 0;  // of a micro-batch on one rank
  int64_t expert_ranks = 1;
  Recompute recompute = {};
  bool deferred = false;   // weight gradients are made later, as in a pipeline
  double expert_load = 1;  // choices of the rank's experts over the average of the ranks
};

// Bytes of one set of activations (GrowingArena::size of its ExpertExchange); 0 with experts on one rank.
int64_t exchange_bytes(const Config& config, const ModelPart& part, DType dtype, const ExchangeSize& size);

}  // namespace fathom
