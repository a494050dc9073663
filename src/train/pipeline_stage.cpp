#include "train/pipeline_stage.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "tensor/memory.h"
#include "tensor/profile.h"
#include "model/token_loss.h"

namespace fathom {
namespace {

// Of all stages. They are cut so that their passes take about as long; a micro-batch's memory is one set from
// its forward pass to its weight gradients.
PipelineSchedule schedule_of(ScheduleKind kind, int stages, int micro_batches) {
  const PipelineCosts costs = {.stages = std::vector<PassTimes>(static_cast<size_t>(stages)), .kept = 1};
  return pipeline_schedule(kind, costs, micro_batches);
}

StageSize stage_size(const ModelPart& part, DType dtype, bool on_host, const PipelineStage::Settings& s) {
  return {.dtype = dtype,
          .largest = s.largest,
          .recompute = s.recompute,
          .part = part,
          .on_host = on_host,
          .experts = s.experts};
}

size_t index(int i) {
  return static_cast<size_t>(i);
}

// Whether no pass of this kind follows.
bool is_last_of_its_kind(const std::vector<PipelineTask>& tasks, size_t i) {
  return std::none_of(tasks.begin() + static_cast<std::ptrdiff_t>(i) + 1, tasks.end(),
                      [&](const PipelineTask& t) { return t.pass == tasks[i].pass; });
}

}  // namespace

MicroBatchesInFlight micro_batches_in_flight(int stage, int stages, const PipelineStage::Settings& s) {
  return in_flight(schedule_of(s.schedule, stages, s.micro_batches)[index(stage)]);
}

int64_t pipeline_stage_bytes(const Config& config, const ModelPart& part, int stage, int stages, DType dtype,
                             bool on_host, const PipelineStage::Settings& s) {
  return stage_bytes(config, stage_size(part, dtype, on_host, s))
      .total(micro_batches_in_flight(stage, stages, s));
}

PipelineStage::PipelineStage(Device& device, const Model& model, WeightGradients& grads,
                             Communicator& pipeline, const Settings& settings)
    : device_(device),
      model_(model),
      grads_(grads),
      links_(device, pipeline),
      experts_(settings.experts),
      schedule_(settings.schedule),
      memory_(device, model.config, stage_size(model.part, model.dtype, device.on_host(), settings)),
      clock_(device) {
  check(links_.first() == model.part.has_embedding() && links_.last() == model.part.has_head(model.config),
        "stage {} of {} holds layers {} to {} of {}", links_.stage(), links_.stages(), model.part.first_layer,
        model.part.end_layer(model.config) - 1, model.config.num_hidden_layers);
  memory_.reserve(in_flight(tasks_for(settings.micro_batches)));
}

const std::vector<PipelineTask>& PipelineStage::tasks_for(int micro_batches) {
  const auto found = tasks_.find(micro_batches);
  if (found != tasks_.end()) return found->second;
  const PipelineSchedule all = schedule_of(schedule_, links_.stages(), micro_batches);
  return tasks_[micro_batches] = all[index(links_.stage())];
}

void PipelineStage::step(const PipelineStep& s) {
  timed_.clear();
  clock_.restart();
  if (s.micro_batches.empty()) return;
  const std::vector<PipelineTask>& tasks = tasks_for(static_cast<int>(s.micro_batches.size()));
  memory_.reserve(in_flight(tasks));
  warm_up(s, Warm::training);
  in_flight_.assign(s.micro_batches.size(), nullptr);
  grads_.accumulate = false;
  expect(s, tasks.front());
  for (size_t i = 0; i < tasks.size(); ++i) {
    if (s.watch) s.watch(tasks[i]);
    begin(s, tasks[i]);
    if (i + 1 < tasks.size()) expect(s, tasks[i + 1]);
    grads_.layer_written = is_last_of_its_kind(tasks, i) ? s.layer_written : nullptr;
    clock_.mark();
    compute(s, tasks[i]);
    clock_.mark();
  }
  grads_.layer_written = nullptr;
  memory_.finish_sending();
  timed_ = tasks;
}

void PipelineStage::forward_only(const PipelineStep& s, bool losses) {
  warm_up(s, losses ? Warm::losses : Warm::choices);
  in_flight_.assign(s.micro_batches.size(), nullptr);
  const auto pass = [](size_t m) { return PipelineTask{PipelinePass::forward, static_cast<int>(m)}; };
  if (!s.micro_batches.empty()) expect(s, pass(0));
  for (size_t m = 0; m < s.micro_batches.size(); ++m) {
    if (s.watch) s.watch(pass(m));
    begin(s, pass(m));
    if (m + 1 < s.micro_batches.size()) expect(s, pass(m + 1));
    InFlight& f = *in_flight_[m];
    const Tensor out = forward(f);
    if (!links_.last()) f.stream_sent = links_.send_stream(out);
    if (losses && links_.last()) s.add(head_losses(f), {});
    memory_.end(f);
  }
  memory_.finish_sending();
}

void PipelineStage::expect(const PipelineStep& s, const PipelineTask& task) {
  const int64_t tokens = s.micro_batches[index(task.micro_batch)].batch.size().tokens;
  if (task.pass == PipelinePass::forward && !links_.first())
    stream_ = links_.receive_stream(memory_.received_stream(tokens));
  if (task.pass == PipelinePass::input_gradient && !links_.last())
    gradient_ = links_.receive_gradient(memory_.received_gradient(tokens));
}

void PipelineStage::begin(const PipelineStep& s, const PipelineTask& task) {
  InFlight*& f = in_flight_[index(task.micro_batch)];
  if (task.pass == PipelinePass::forward) {
    f = &begin_forward(s, s.micro_batches[index(task.micro_batch)]);
  } else if (task.pass == PipelinePass::input_gradient) {
    memory_.begin_gradients(*f);
    if (links_.last()) return;
    gradient_.wait();
    copy(device_, f->activations.gradients.stream, memory_.received_gradient(f->size.tokens));
  }
}

InFlight& PipelineStage::begin_forward(const PipelineStep& s, const PackedBatch& packed) {
  InFlight& f = place(s, packed);
  if (links_.first()) return f;
  stream_.wait();
  copy(device_, f.activations.stream(model_.part.first_layer), memory_.received_stream(f.size.tokens));
  return f;
}

InFlight& PipelineStage::place(const PipelineStep& s, const PackedBatch& packed) {
  InFlight& f = memory_.begin(packed.batch.size());
  upload_batch(device_, model_.config, packed.batch, f.batch);
  if (f.targets) upload(device_, f.targets, ConstTensor(packed.targets.data(), DType::i32, {f.size.tokens}));
  f.batch.step = s.step;
  f.activations.choices = s.step.choices.experts ? ChoiceCounts() : s.choices;
  return f;
}

void PipelineStage::compute(const PipelineStep& s, const PipelineTask& task) {
  const ProfilePart part(device_, name_of(task.pass), task.micro_batch);
  InFlight& f = *in_flight_[index(task.micro_batch)];
  switch (task.pass) {
    case PipelinePass::forward: {
      const Tensor out = forward(f);
      if (!links_.last()) f.stream_sent = links_.send_stream(out);
      return;
    }
    case PipelinePass::input_gradient:
      input_gradient(s, f);
      if (!links_.first()) f.gradient_sent = links_.send_gradient(f.activations.gradients.stream);
      return;
    case PipelinePass::weight_gradient:
      weight_gradient(f);
      memory_.end(f);
  }
}

Tensor PipelineStage::forward(InFlight& f) {
  return model_forward(device_, model_, f.batch, f.activations);
}

Tensor PipelineStage::head_losses(InFlight& f) {
  const PipelineMemory::HeadWork head = memory_.begin_head(f.size.tokens);
  head_forward(device_, model_, f.activations.normed, memory_.head_scratch(),
               token_loss(device_, f.targets, {}, head.losses, 1));
  return head.losses;
}

// The head's weight gradient is made here: nothing of the head is kept. So are those of norms and of the
// embedding.
void PipelineStage::input_gradient(const PipelineStep& s, InFlight& f) {
  Activations& a = f.activations;
  Tensor losses, dhidden = a.gradients.stream;
  if (links_.last()) {
    const PipelineMemory::HeadWork head = memory_.begin_head(f.size.tokens);
    losses = head.losses, dhidden = head.dhidden;
    head_backward(device_, model_, a.normed, memory_.head_scratch(),
                  token_loss(device_, f.targets, {}, losses, s.loss_scale), dhidden, grads_);
  }
  model_backward(device_, model_, f.batch, a, dhidden, grads_);
  if (s.add) s.add(losses, a.balance_losses);
}

void PipelineStage::weight_gradient(InFlight& f) {
  model_backward_weight(device_, model_, f.batch, f.activations, grads_);
}

std::vector<PipelineTimeline::Slot> PipelineStage::passes() const {
  std::vector<PipelineTimeline::Slot> slots;
  for (size_t i = 0; i < timed_.size(); ++i)
    slots.push_back({timed_[i], clock_.seconds(2 * i), clock_.seconds(2 * i + 1)});
  return slots;
}

PassTimes PipelineStage::pass_times() const {
  std::array<double, 3> sums{};
  for (const PipelineTimeline::Slot& slot : passes())
    sums[static_cast<size_t>(slot.task.pass)] += slot.end - slot.begin;
  const double n = std::max<double>(static_cast<double>(timed_.size()) / 3, 1);
  return {.forward = sums[0] / n, .input_gradient = sums[1] / n, .weight_gradient = sums[2] / n};
}

}  // namespace fathom
