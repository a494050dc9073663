#include "train/step_passes.h"

#include <algorithm>
#include <vector>

#include "tensor/memory.h"
#include "tensor/profile.h"
#include "train/training_memory.h"

namespace fathom {
namespace {

// What a rank works in that runs one micro-batch after the other.
int64_t work_bytes(const Recipe& r, const Config& config, const ParallelPlan& plan, const ModelPart& part) {
  return plan.pipeline > 1 ? 0 : micro_batch_bytes(r, config, part);
}

PackedBatch no_tokens() {
  PackedBatch packed;
  packed.batch.sequence_starts = {0};
  return packed;
}

}  // namespace

double over_weight(double weight) {
  return weight > 0 ? weight : 1;
}

StepPasses::StepPasses(const Recipe& recipe, Device& device, const Config& config, RankGroups& ranks,
                       TrainedModel& trained, StepTotals& totals, Objective& objective)
    : recipe_(recipe),
      device_(device),
      config_(config),
      ranks_(ranks),
      trained_(trained),
      totals_(totals),
      objective_(objective),
      memory_("activations", work_bytes(recipe, config, ranks.plan(), trained.model().part), device,
              "batch.micro_batch or data.sequence_length lowers it, and run.recompute_parts or "
              "run.recompute") {
  const ParallelPlan& plan = ranks_.plan();
  if (plan.pipeline > 1) {
    PipelineStage::Settings settings = stage_settings(recipe_, config_, plan, ranks_.rank());
    if (plan.expert > 1) settings.experts = &ranks_.expert_group();
    stage_.emplace(device_, trained_.model(), trained_.gradients(), ranks_.pipeline(), settings);
  } else {
    if (plan.expert > 1) exchange_.emplace(config_, trained_.model().part, device_, ranks_.expert_group());
    lay_out(micro_batch_size(recipe_, recipe_.batch.micro_batch));
  }
}

int64_t StepPasses::exchange_bytes() const {
  if (stage_) return stage_->memory().exchange_bytes();
  return exchange_ ? exchange_->memory.size() : 0;
}

// The first of an expert group has the most micro-batches of the group.
int64_t StepPasses::count(int64_t micro_batches) const {
  const ParallelPlan& plan = ranks_.plan();
  return Share{plan.expert_group_of(ranks_.rank()) * plan.expert, plan.replicas()}.count(micro_batches);
}

void StepPasses::for_each(const PackedStep& step, const std::function<void(const PackedBatch&)>& pass) const {
  for (const PackedBatch& packed : step.batches) pass(packed);
  for (auto i = static_cast<int64_t>(step.batches.size()); i < count(step.micro_batches); ++i)
    pass(no_tokens());
}

bool StepPasses::counts_come_first(const PackedStep& step) const {
  return !config_.seq_aux && balances(recipe_, config_) && step.micro_batches > 1;
}

TrainingStep StepPasses::step_of(const PackedStep& step) const {
  const Recipe::Model& m = recipe_.model;
  return {.tokens = step.tokens,
          .choices = {},
          .device_alpha = m.device_balance_alpha,
          .communication_alpha = m.communication_balance_alpha,
          .capacity_factor = m.capacity_factor};
}

void StepPasses::step(const PackedStep& packed) {
  trained_.gradients().accumulate = false;
  replayed_ = {};
  stage_ ? run_stage(packed) : run_model(packed);
  if (!trained_.gradients().accumulate) trained_.clear_gradients(device_);  // no micro-batch for this rank
}

void StepPasses::run_model(const PackedStep& step) {
  const bool count_first = counts_come_first(step);
  if (count_first) {
    for_each(step, [&](const PackedBatch& packed) { count_experts(packed, step); });
    totals_.share_counts(ranks_);
  }
  int64_t left = count(step.micro_batches);
  for_each(step, [&](const PackedBatch& packed) {
    if (--left == 0)
      trained_.gradients().layer_written = [this](int64_t layer) { trained_.start_reducing(layer); };
    micro_step(packed, step, count_first);
  });
  trained_.gradients().layer_written = {};
}

void StepPasses::run_stage(const PackedStep& step) {
  std::vector<PackedBatch> padded;
  PipelineStep s = {
      .micro_batches = step.batches,
      .step = step_of(step),
      .loss_scale = 1 / over_weight(step.weight),
      .choices = totals_.choices(),
      .add = [this](const Tensor& losses,
                    const Tensor& balance_losses) { totals_.add(device_, losses, balance_losses); },
      .layer_written = [this](int64_t layer) { trained_.start_reducing(layer); }};
  if (count(step.micro_batches) > static_cast<int64_t>(step.batches.size())) {
    for_each(step, [&](const PackedBatch& packed) { padded.push_back(packed); });
    s.micro_batches = padded;
  }
  if (counts_come_first(step)) {
    stage_->count_choices(s);
    totals_.share_counts(ranks_);
    s.step.choices = totals_.choices();
  }
  stage_->step(s);
}

void StepPasses::count_experts(const PackedBatch& packed, const PackedStep& step) {
  const Batch batch = uploaded(packed, step_of(step));
  micro_.activations.choices = totals_.choices();
  model_forward(device_, trained_.model(), batch, micro_.activations);
}

void StepPasses::micro_step(const PackedBatch& packed, const PackedStep& step, bool counted) {
  const ProfilePart part(device_, "micro-batch");
  const Model& model = trained_.model();
  WeightGradients& grads = trained_.gradients();
  Batch batch = uploaded(packed, step_of(step));
  if (counted) batch.step.choices = totals_.choices();
  micro_.activations.choices = counted ? ChoiceCounts() : totals_.choices();
  const Tensor hidden = model_forward(device_, model, batch, micro_.activations);
  if (batch.replay && packed.replay.keep_choice) {
    const ReplayedChoices choices = compare_choices(device_, *batch.replay, packed.replay, model.part);
    replayed_.choices += choices.choices, replayed_.differing += choices.differing;
  }
  const LossFunction loss = objective_.loss(device_, model, {packed, micro_, hidden, memory_},
                                            1 / over_weight(step.weight));
  head_backward(device_, model, hidden, memory_, loss, micro_.dhidden, grads);
  model_backward(device_, model, batch, micro_.activations, micro_.dhidden, grads);
  totals_.add(device_, micro_.losses, micro_.activations.balance_losses);
}

void StepPasses::add_losses(const PackedBatch& packed) {
  if (stage_) {
    stage_->add_losses(
        {.micro_batches = {&packed, 1},
         .step = {},
         .choices = {},
         .add = [this](const Tensor& losses, const Tensor&) { totals_.add(device_, losses); }});
    return;
  }
  const Batch batch = uploaded(packed);
  micro_.activations.choices = {};
  const Tensor hidden = model_forward(device_, trained_.model(), batch, micro_.activations);
  const LossFunction loss = objective_.loss(device_, trained_.model(), {packed, micro_, hidden, memory_}, 1);
  head_forward(device_, trained_.model(), hidden, memory_, loss);
  totals_.add(device_, micro_.losses);
}

// Micro-batches differ in size: the last one of a step may have fewer windows than the others, and windows of
// rows differ in length.
void StepPasses::lay_out(const BatchSize& size) {
  if (micro_.targets && size_.tokens == size.tokens && size_.units == size.units) return;
  memory_.rewind(0);
  micro_ = allocate_micro_batch(recipe_, config_, trained_.model().part, memory_, size);
  size_ = size;
  micro_.activations.exchange = exchange_ ? &*exchange_ : nullptr;
}

Batch StepPasses::uploaded(const PackedBatch& packed, const TrainingStep& step) {
  const HostBatch& host = packed.batch;
  lay_out(micro_batch_size(recipe_, host.size().tokens, host.size().units));
  Batch batch = micro_.batch;
  batch.sequence_starts = batch.sequence_starts.slice(0, host.size().sequences + 1);
  upload_batch(device_, config_, host, batch);
  upload(device_, micro_.targets, ConstTensor(packed.targets.data(), DType::i32, {host.size().tokens}));
  if (!packed.weights.empty())
    upload(device_, micro_.weights, ConstTensor(packed.weights.data(), DType::f32, {host.size().tokens}));
  batch.step = step;
  if (!packed.replay.rows.empty()) set_replay(packed.replay, batch);
  return batch;
}

void StepPasses::set_replay(const HostReplay& host, Batch& batch) {
  if (!replay_memory_.data()) {
    const int64_t most = micro_batch_size(recipe_, recipe_.batch.micro_batch).tokens;
    replay_memory_ = Arena("routing replay", replay_bytes(config_, most, most), device_);
  }
  replay_memory_.rewind(0);
  replay_ = allocate_replay(device_, config_, replay_memory_, host);
  batch.replay = &replay_;
}

}  // namespace fathom
