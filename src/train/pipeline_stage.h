// One rank's stage of a pipeline: runs the passes of its micro-batches in the order of a schedule
// (pipeline_schedule.h), receives the residual stream from the stage before and its gradient from the stage
// behind, and sends on what they wait for. What it receives and sends travels beside the passes.
#pragma once
#include <functional>
#include <map>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "model/model.h"
#include "tensor/clock.h"
#include "train/loader.h"
#include "train/pipeline_links.h"
#include "train/pipeline_memory.h"
#include "train/pipeline_timeline.h"

namespace fathom {

// The micro-batches of an optimizer step, the same on every stage.
struct PipelineStep {
  std::span<const PackedBatch> micro_batches;
  TrainingStep step;      // that they are part of; without choices they are counted here
  double loss_scale = 1;  // of the losses' gradients: one over the targets that the mean is taken over
  ChoiceCounts choices;   // += of this stage's layers; may be absent
  // Called once for each micro-batch: losses [N] stat of its tokens, on the last stage only, and
  // balance_losses [3] stat of this stage's layers, in training only.
  std::function<void(const Tensor& losses, const Tensor& balance_losses)> add = {};
  // WeightGradients::layer_written of the whole step; may be absent.
  std::function<void(int64_t layer)> layer_written = {};
  // Called before each pass; may be absent.
  std::function<void(const PipelineTask&)> watch = {};
};

class PipelineStage {
 public:
  struct Settings {
    ScheduleKind schedule = ScheduleKind::zb_h1;
    BatchSize largest;      // micro-batch
    int micro_batches = 1;  // of a step, at most: memory is allocated for so many
    Recompute recompute;
    Communicator* experts = nullptr;  // the ranks that share the stage's routed experts, if there are several
  };

  // The ranks of `pipeline` hold the model's stages in order; every one of them calls it. All must outlive
  // this.
  PipelineStage(Device& device, const Model& model, WeightGradients& grads, Communicator& pipeline,
                const Settings& settings);

  // All passes of a step. The gradients are then those of this stage's weights: each is added up in the order
  // of the micro-batches.
  void step(const PipelineStep& s);
  // Forward passes alone: the losses, which `add` gets on the last stage, or the choices of experts.
  void add_losses(const PipelineStep& s) { forward_only(s, true); }
  void count_choices(const PipelineStep& s) { forward_only(s, false); }

  // How long the passes of the last step took on this stage, its waiting for others left out, in the mean.
  // The device must have finished the step (synchronize).
  PassTimes pass_times() const;
  // The same of each pass; `begin` is counted from the step's first pass.
  std::vector<PipelineTimeline::Slot> passes() const;

  const PipelineMemory& memory() const { return memory_; }

 private:
  const std::vector<PipelineTask>& tasks_for(int micro_batches);
  void forward_only(const PipelineStep& s, bool losses);
  // Starts to receive what the task needs.
  void expect(const PipelineStep& s, const PipelineTask& task);
  // The two halves of a pass: waits for what it needs, and computes.
  void begin(const PipelineStep& s, const PipelineTask& task);
  void compute(const PipelineStep& s, const PipelineTask& task);
  InFlight& begin_forward(const PipelineStep& s, const PackedBatch& packed);
  // Gives a micro-batch its memory and uploads it.
  InFlight& place(const PipelineStep& s, const PackedBatch& packed);
  Tensor forward(InFlight& f);
  Tensor head_losses(InFlight& f);
  void input_gradient(const PipelineStep& s, InFlight& f);
  void weight_gradient(InFlight& f);

  // Of a step that differs from those before in the sizes of micro-batches: runs the passes of each new size
  // once without messages (pipeline_warm_up.cpp).
  enum class Warm { training, losses, choices };
  void warm_up(const PipelineStep& s, Warm kind);
  void warm_up_with(const PipelineStep& s, const PackedBatch& packed, Warm kind);

  Device& device_;
  const Model& model_;
  WeightGradients& grads_;
  PipelineLinks links_;
  Communicator* const experts_;
  const ScheduleKind schedule_;
  PipelineMemory memory_;
  std::map<int, std::vector<PipelineTask>> tasks_;  // by number of micro-batches
  std::vector<InFlight*> in_flight_;                // of each micro-batch of the step
  Pending stream_, gradient_;                       // under way to here
  Clock clock_;
  std::vector<PipelineTask> timed_;
  std::set<std::pair<Warm, int64_t>> warm_;  // by the tokens of a micro-batch
};

// What a stage of several has at work at a time.
MicroBatchesInFlight micro_batches_in_flight(int stage, int stages, const PipelineStage::Settings& settings);

// The bytes that it takes, by formula.
int64_t pipeline_stage_bytes(const Config& config, const ModelPart& part, int stage, int stages, DType dtype,
                             bool on_host, const PipelineStage::Settings& settings);

}  // namespace fathom
