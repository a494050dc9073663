// What every piece of a forward or backward pass is handed: where it runs, which model, which batch. Plain
// references, made on the stack by model_forward and model_backward.
#pragma once
#include "model/batch.h"
#include "model/config.h"
#include "model/recompute.h"
#include "model/weights.h"
#include "model/yarn.h"
#include "tensor/stream_fork.h"

namespace fathom {

struct ExpertExchange;  // model/expert_exchange.h

struct Pass {
  Device& device;
  const Config& config;
  const Batch& batch;
  Tensor cos_sin;  // [N, Dr], this batch's rotary table
  double softmax_scale;
  bool training;              // keep what the backward pass needs, compute the balance losses
  Tensor balance_losses;      // [3], training only: where the MoE layers add theirs
  Tensor balance_starts;      // [B+1] or [2], training only: the sequences they are taken over
  double balance_tokens = 0;  // T, training only: tokens of the optimizer step, their mean is over them
  double balance_weight = 1;  // gradient of the total loss with respect to them
  Tensor dropped;             // [L] i32, training only: where the MoE layers add theirs; may be absent
  bool accumulate = false;    // backward only: add to the weights' gradients (WeightGradients)
  bool deferred = false;      // input pass only: leave the products' weight gradients to the weight pass
  // What of a layer's activations is not kept, and in the backward pass not there yet.
  Recompute recompute = {};
  Tensor low_rank = {};                // Activations::low_rank
  ExpertExchange* exchange = nullptr;  // where a part of the experts is on other ranks

  // Runs both; in serving, whose kernels are small, concurrently. Neither may touch what the other writes:
  // adapters share memory (low_rank), so that with them one comes after the other.
  template <class Side, class Main>
  void run_concurrently(const Side& side, const Main& main) const {
    if (!training && !low_rank) return fathom::run_concurrently(device, side, main);
    side();
    main();
  }
};

}  // namespace fathom
