// The forward and backward passes of this rank's micro-batches: of the whole model one micro-batch after the
// other, or of its stage of a pipeline by a schedule.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>

#include "model/expert_exchange.h"
#include "tensor/arena.h"
#include "train/micro_batch.h"
#include "train/objective.h"
#include "train/packed_step.h"
#include "train/pipeline_stage.h"
#include "train/rank_groups.h"
#include "train/recipe.h"
#include "train/step_totals.h"
#include "train/trained_model.h"

namespace fathom {

class StepPasses {
 public:
  // Allocates all that passes work in. Everything must outlive this.
  StepPasses(const Recipe& recipe, Device& device, const Config& config, RankGroups& ranks,
             TrainedModel& trained, StepTotals& totals, Objective& objective);
  StepPasses(const StepPasses&) = delete;
  StepPasses& operator=(const StepPasses&) = delete;

  // Of so many micro-batches in all: how many this rank's expert group takes together. A rank that has fewer
  // makes its last passes without tokens.
  int64_t count(int64_t micro_batches) const;
  // All passes of a step. The gradients are then this rank's, of the loss over the step's weight; they are
  // reduced beside the last micro-batch's backward pass. Adds losses, balance losses and choices to the
  // totals.
  void step(const PackedStep& packed);
  // Adds the losses of a micro-batch to the totals, by a forward pass alone.
  void add_losses(const PackedBatch& packed);

  // Of the last step's replayed experts, where there were some.
  const ReplayedChoices& replayed() const { return replayed_; }

  // Bytes taken so far (TrainingMemory).
  int64_t activation_bytes() const { return stage_ ? stage_->memory().peak() : memory_.peak(); }
  int64_t exchange_bytes() const;

 private:
  // Runs `pass` on each micro-batch, then without tokens until all have made as many.
  void for_each(const PackedStep& step, const std::function<void(const PackedBatch&)>& pass) const;
  // The balance losses of a micro-batch need the whole step's choices before its own forward pass.
  bool counts_come_first(const PackedStep& step) const;
  TrainingStep step_of(const PackedStep& step) const;
  void run_model(const PackedStep& step);
  void run_stage(const PackedStep& step);
  // A forward pass for the counts of choices alone.
  void count_experts(const PackedBatch& packed, const PackedStep& step);
  // Adds the gradients of one micro-batch to those of the others.
  void micro_step(const PackedBatch& packed, const PackedStep& step, bool counted);
  // Gives the batch the experts that it is to take.
  void set_replay(const HostReplay& host, Batch& batch);
  // Makes micro_ one of this size.
  void lay_out(const BatchSize& size);
  // Brings a micro-batch to the device; the views hold until the next one.
  Batch uploaded(const PackedBatch& packed, const TrainingStep& step = {});

  const Recipe& recipe_;
  Device& device_;
  const Config& config_;
  RankGroups& ranks_;
  TrainedModel& trained_;
  StepTotals& totals_;
  Objective& objective_;

  std::optional<ExpertExchange> exchange_;  // with experts on several ranks, of one stage
  std::optional<PipelineStage> stage_;      // of several; it has a micro-batch's memory then
  Arena memory_;
  BatchSize size_;  // of micro_
  Arena replay_memory_;  // from the first replay on
  ExpertReplay replay_;
  ReplayedChoices replayed_;
  MicroBatch micro_;
};

// What a mean is taken over. Over nothing it is 0, not NaN: a step of documents of one token has no target.
double over_weight(double weight);

}  // namespace fathom
